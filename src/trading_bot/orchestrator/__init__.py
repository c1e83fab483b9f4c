"""The day: workflow state machine, scheduler, workflows."""
