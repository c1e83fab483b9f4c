"""`python -m trading_bot`."""

from trading_bot.cli import main

if __name__ == "__main__":
    main()
