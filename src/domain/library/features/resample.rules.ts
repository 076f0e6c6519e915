/** Windowed-sinc resampling of one channel, for analysis, not for listening. */

/** Places between two samples the filter is known for. */
const PHASES = 128;
/** Zero crossings of the filter on each side. */
const CROSSINGS = 8;
/** Of the lower Nyquist frequency: room for the filter's slope. */
const PASS = 0.9;

/** The same sound at another sampling rate. */
export function resample(samples: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return samples;
  const ratio = from / to;
  const cutoff = PASS * Math.min(1, 1 / ratio);
  const side = Math.ceil(CROSSINGS / cutoff);
  const width = 2 * side;
  const taps = new Float32Array(PHASES * width);
  for (let phase = 0; phase < PHASES; phase++) {
    for (let k = 0; k < width; k++) {
      const x = k - side + 1 - phase / PHASES;
      const sinc = x === 0 ? cutoff : Math.sin(Math.PI * x * cutoff) / (Math.PI * x);
      const window = Math.abs(x) >= side ? 0 : Math.cos((Math.PI * x) / (2 * side)) ** 2;
      taps[phase * width + k] = sinc * window;
    }
  }
  const length = Math.floor(samples.length / ratio);
  const out = new Float32Array(length);
  for (let n = 0; n < length; n++) {
    const at = n * ratio;
    const centre = Math.floor(at);
    const row = Math.floor((at - centre) * PHASES) * width;
    const first = centre - side + 1;
    const begin = Math.max(0, -first);
    const end = Math.min(width, samples.length - first);
    let sum = 0;
    for (let k = begin; k < end; k++) sum += taps[row + k]! * samples[first + k]!;
    out[n] = sum;
  }
  return out;
}
