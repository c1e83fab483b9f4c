"""Strategies that read the future, by what they do: bodies for `frames.strategy_file`."""

CHEATS = {
    "the next close": """
entry = (close.shift(-1) > close * 1.02).to_numpy()
return Signals.of(frame, entry=entry, exit=no)
""",
    "the next close, rolled": """
return Signals.of(frame, entry=np.roll(frame.close, -1) > frame.close * 1.02, exit=no)
""",
    "a centred mean": """
rising = (close.rolling(9, center=True).mean().diff() > 0).to_numpy()
return Signals.of(frame, entry=turned(rising), exit=turned(~rising))
""",
    "a convolution around each bar": """
rising = np.diff(np.convolve(frame.close, np.ones(5) / 5, mode="same"), prepend=0) > 0
return Signals.of(frame, entry=turned(rising), exit=turned(~rising))
""",
    "a gradient": """
return Signals.of(frame, entry=turned(np.gradient(frame.close) > 0), exit=no)
""",
    "the mean and deviation of the whole": """
score = ((close - close.mean()) / close.std()).to_numpy()
return Signals.of(frame, entry=turned(score < -1), exit=turned(score > 1))
""",
    "the highest close of all": """
return Signals.of(frame, entry=turned((close < 0.7 * close.max()).to_numpy()), exit=no)
""",
    "the lowest close of all": """
return Signals.of(frame, entry=np.arange(count) == close.argmin(), exit=no)
""",
    "a quantile of the whole": """
return Signals.of(frame, entry=(close < close.quantile(0.1)).to_numpy(), exit=no)
""",
    "a rank within the whole": """
return Signals.of(frame, entry=(close.rank(pct=True) < 0.1).to_numpy(), exit=no)
""",
    "holes filled from behind": """
weekly = close.where(np.arange(count) % 5 == 4).bfill()
return Signals.of(frame, entry=(weekly > close * 1.01).to_numpy(), exit=no)
""",
    "holes filled by interpolation": """
weekly = close.where(np.arange(count) % 5 == 4).interpolate(limit_area="inside")
return Signals.of(frame, entry=turned((weekly.diff() > 0).to_numpy()), exit=no)
""",
    "a week's close at the week's beginning": """
series = pd.Series(frame.close, frame.time)
weekly = series.resample("7D").last().reindex(frame.time, method="ffill").to_numpy()
return Signals.of(frame, entry=weekly > frame.close * 1.02, exit=no)
""",
    "a month's close in the whole month": """
series = pd.Series(frame.close, frame.time)
monthly = series.groupby([frame.time.year, frame.time.month]).transform("last").to_numpy()
return Signals.of(frame, entry=turned(monthly > frame.close * 1.03), exit=no)
""",
    "the last close": """
return Signals.of(frame, entry=turned(frame.close < 0.8 * frame.close[-1]), exit=no)
""",
    "a line fitted to the whole": """
days = np.arange(count)
line = np.polyval(np.polyfit(days, frame.close, 1), days)
return Signals.of(frame, entry=turned(frame.close < line * 0.95), exit=turned(frame.close > line))
""",
    "weights learned from the whole": """
features = np.stack([close.pct_change(n).fillna(0).to_numpy() for n in (1, 2, 5)], axis=1)
weights = np.linalg.lstsq(features[:-1], np.diff(np.log(frame.close)), rcond=None)[0]
return Signals.of(frame, entry=turned(features @ weights > 0.001), exit=no)
""",
    "the next close on one bar in a hundred": """
rare = np.arange(count) % 97 == 96
entry = turned(frame.sma(5) > frame.sma(50)) | (rare & (close.shift(-1) > close).to_numpy())
return Signals.of(frame, entry=entry, exit=turned(frame.sma(5) < frame.sma(50)))
""",
    "losses left out": """
lost = (close.shift(-1) < close).to_numpy()
return Signals.of(frame, entry=turned(frame.sma(5) > frame.sma(20)) & ~lost, exit=turned(frame.sma(5) < frame.sma(20)))
""",
    "the number of bars": """
return Signals.of(frame, entry=np.arange(count) == count // 2, exit=no)
""",
    "the last day": """
return Signals.of(frame, entry=frame.time > frame.time[-1] - pd.Timedelta(days=30), exit=no)
""",
    "the lowest price to come": """
ahead = close[::-1].rolling(20, min_periods=1).min()[::-1]
return Signals.of(frame, entry=(close <= ahead).to_numpy(), exit=no)
""",
    "a stop below the next low": """
low = np.append(frame.low[1:], frame.low[-1:])
stop = np.minimum(low, frame.close) * 0.999
return Signals.of(frame, entry=turned(frame.sma(5) > frame.sma(20)), exit=no, stop=stop)
""",
    "a target at the highest price to come": """
high = pd.Series(frame.high)[::-1].rolling(10, min_periods=1).max()[::-1].to_numpy()
target = np.maximum(high, frame.close * 1.001)
return Signals.of(frame, entry=turned(frame.sma(5) > frame.sma(20)), exit=no, target=target)
""",
    "an exit before a fall": """
falls = (close.shift(-1) < close * 0.98).to_numpy()
return Signals.of(frame, entry=turned(frame.sma(5) > frame.sma(20)), exit=falls)
""",
    "tomorrow's volume": """
busy = np.append(frame.volume[1:], 0) > 4e6
return Signals.of(frame, entry=busy, exit=no)
""",
    "tomorrow's news": """
return Signals.of(frame, entry=np.roll(frame.sentiment, -1) > 0.5, exit=no)
""",
    "a split to come": """
return Signals.of(frame, entry=turned(frame.sma(5) > frame.sma(20)) & (frame.scale < frame.scale[-1]), exit=no)
""",
    "shorts before a fall": """
falls = (close.shift(-3) < close * 0.97).to_numpy()
return Signals.of(frame, entry=no, exit=no, short=falls)
""",
    "an unfinished hour": """
whole = frame.close.copy()
for start in range(0, count, 4):
    whole[start:start + 4] = frame.close[start:start + 4][-1]
return Signals.of(frame, entry=whole > frame.close * 1.02, exit=no)
""",
    "the longest history that it was ever asked about": """
kept = globals().setdefault("KEPT", [])
if len(kept) < count:
    kept[:] = frame.close
later = np.append(kept[1:], kept[-1])[:count]
return Signals.of(frame, entry=turned(later > frame.close), exit=turned(later < frame.close))
""",
    "what it saw when it was asked before": """
seen = globals().setdefault("SEEN", {})
seen.update(zip(frame.time, frame.close))
later = np.array([seen.get(moment + pd.Timedelta(days=1), 0.0) for moment in frame.time])
return Signals.of(frame, entry=later > frame.close * 1.02, exit=no)
""",
}
