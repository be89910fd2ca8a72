"""What the engine's process tells of itself, gathered by its control thread."""

import time
from typing import Any

from rtkaraoke.live.flac import FlacRecording
from rtkaraoke.live.host import Host, Timed
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.telemetry import LiveStatus


class Reporter:
    """Makes statuses of a host and what it works with.

    Parameters
    ----------
    host : Host
    settings : LiveSettings
    realtime : bool
        Whether the worker runs at real-time priority.
    """

    def __init__(self, host: Host, settings: LiveSettings, *, realtime: bool) -> None:
        self._host = host
        self._settings = settings
        self._realtime = realtime

    def status(self, state: Any, recording: FlacRecording | None) -> LiveStatus:
        """Everything as it is now; what is counted since the last status starts anew."""
        host = self._host
        engine, stream = host.engine, host.stream
        stream.update_counters()
        heard, played = engine.input_meter.read(), engine.output_meter.read()
        hops: dict[str, int] = {}
        step_ms: dict[str, float] = {}
        provider = ""
        parameters: dict[str, float] = {}
        voice: dict[str, float] = {}
        for name, plugin in engine.plugins.items():
            bus = name.removesuffix(plugin.name)  # two microphones may have the same plugin
            hops |= {bus + each: count for each, count in getattr(plugin, "counters", {}).items()}
            if times := getattr(plugin, "step_times", None):
                step_ms |= times.percentiles_ms()
            if read_voice := getattr(plugin, "read_voice", None):
                voice = read_voice()._asdict()
            provider = provider or getattr(getattr(plugin, "network", None), "provider", "")
            parameters |= {f"{name}.{each}": plugin.get(each) for each in plugin.parameters}
        now_ns = time.monotonic_ns()
        source = {} if host.source is None else dict(host.source.status)
        timed: object = host.source
        if isinstance(timed, Timed):
            source["heard_s"] = timed.heard_s(host.leaving(now_ns))
        return LiveStatus(
            state=state,
            sample_rate=stream.sample_rate,
            period=stream.period,
            input_peak_db=heard.peak_db[: engine.n_channels],
            input_rms_db=heard.rms_db[: engine.n_channels],
            output_peak_db=played.peak_db,
            output_rms_db=played.rms_db,
            latency_terms=host.latency_terms,
            mic_latency=host.mic_latency if engine.mics else None,
            latency_budget_ms=self._settings.latency_budget_ms,
            load=host.load.summary(),
            step_ms=step_ms,
            hops=hops,
            xruns=stream.counters.as_dict(),
            nonfinite=engine.n_nonfinite,
            n_samples=host.n_samples,
            realtime=self._realtime,
            provider=provider,
            parameters=parameters,
            muted=host.muted,
            drift_ppm=stream.drift_ppm,
            source=source,
            time_ns=now_ns,
            buses={}
            if engine.desk is None
            else engine.desk.levels(heard, engine.n_channels) | {"master": played.loudest},
            duck={} if engine.duck is None else engine.duck.status,
            voice=voice,
            recording="" if recording is None else str(recording.path),
            recorded_s=0.0 if recording is None else recording.seconds,
            input=stream.input_name,
            output=stream.output_name,
        )
