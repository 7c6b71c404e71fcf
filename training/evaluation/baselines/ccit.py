"""CCIT, the classic baseline: a random forest on eleven statistics of a device's half-hour.

After Sivanathan et al., "Characterizing and Classifying IoT Traffic in Smart Cities and Campuses"
(2017), from conn.log and dns.log in place of packets. Its input is what an archive has when a
connection has ended, which the shipped model never sees.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.data.traffic import Traffic
from training.evaluation.samples import HALF_HOUR, Samples, Segments

FEATURES = (
    "sleep time",
    "active volume",
    "average packet size",
    "mean rate",
    "peak/mean rate",
    "active time",
    "servers",
    "protocols",
    "unique DNS requests",
    "DNS interval",
    "NTP interval",
)

_DNS, _NTP = 53, 123


def features(traffic: Traffic, segments: Segments, samples: Samples) -> np.ndarray:
    """The eleven statistics of each half-hour, float64 [B, 11], in the order of FEATURES.

    Times in seconds, volumes in bytes, rates in bytes a second. A connection counts up to the end
    of the half-hour in which it began. An interval between fewer than two events is HALF_HOUR.
    """
    size = samples.end - samples.begin
    at = np.repeat(np.arange(len(samples)), size)
    position = np.arange(len(at)) - np.repeat(np.cumsum(size) - size, size)
    position += np.repeat(samples.begin, size)
    row = segments.row[position]
    ts = segments.ts[position]

    end = np.minimum(ts + traffic.duration[row], (ts // HALF_HOUR + 1) * HALF_HOUR)
    volume, port = traffic.size[row], traffic.sessions.dport[row] & 0xFFFF
    rate = np.divide(volume, end - ts, out=np.zeros(len(at)), where=end - ts > 1e-3)
    number = len(samples)
    periods, active, sleep = _activity(at, ts, end, number)
    total = np.bincount(at, volume, number)
    packets = np.bincount(at, traffic.packets[row], number)
    mean = total / np.maximum(active, 1.0)
    peak = np.zeros(number)
    np.maximum.at(peak, at, rate)
    other = (port != _DNS) & (port != _NTP)
    query = _queries(traffic, row, at)
    return np.stack(
        [
            sleep,
            total / np.maximum(periods, 1),
            total / np.maximum(packets, 1),
            mean,
            np.divide(peak, mean, out=np.zeros(number), where=mean > 0),
            active / np.maximum(periods, 1),
            _distinct(at[other], traffic.dst[row][other], number),
            _distinct(at, traffic.sessions.dport[row], number),
            _distinct(query["sample"].to_numpy(), query["query"].to_numpy(), number),
            _interval(at[port == _DNS], ts[port == _DNS], number),
            _interval(at[port == _NTP], ts[port == _NTP], number),
        ],
        axis=1,
    )


def _activity(
    at: np.ndarray, ts: np.ndarray, end: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Periods with some connection open, their seconds in all, the mean gap between; [B] each."""
    # The latest end so far in the sample, by one running maximum: an offset separates the samples.
    apart = (at * 2 - ts // HALF_HOUR) * HALF_HOUR
    latest = np.maximum.accumulate(end + apart) - apart
    begins = np.ones(len(ts), bool)
    begins[1:] = (np.diff(at) != 0) | (ts[1:] > latest[:-1])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(ts)) - 1
    length = latest[last] - ts[first]
    gap = np.zeros(len(first))
    same = np.diff(at[first]) == 0
    gap[1:][same] = (ts[first[1:]] - latest[last[:-1]])[same]
    periods = np.bincount(at[first], minlength=number)
    sleep = np.bincount(at[first], gap, number) / np.maximum(periods - 1, 1)
    return periods, np.bincount(at[first], length, number), np.where(periods > 1, sleep, HALF_HOUR)


def _queries(traffic: Traffic, row: np.ndarray, at: np.ndarray) -> pd.DataFrame:
    """The sample and the text of each DNS query, as ``sample`` and ``query``."""
    sample = np.full(len(traffic), -1)
    sample[row] = at
    queries = traffic.queries.assign(sample=sample[traffic.queries["session"].to_numpy(np.int64)])
    return queries[queries["sample"] >= 0]


def _distinct(at: np.ndarray, value: np.ndarray, number: int) -> np.ndarray:
    """How many distinct values each sample has."""
    pairs = pd.DataFrame({"at": at, "value": value}).drop_duplicates()
    return np.bincount(pairs["at"].to_numpy(np.int64), minlength=number).astype(np.float64)


def _interval(at: np.ndarray, ts: np.ndarray, number: int) -> np.ndarray:
    """The mean time between events of a sample."""
    same = np.diff(at) == 0
    total = np.bincount(at[1:][same], np.diff(ts)[same], number)
    count = np.bincount(at[1:][same], minlength=number)
    return np.where(count > 0, total / np.maximum(count, 1), HALF_HOUR)
