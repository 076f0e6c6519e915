/** The part of fft.js that is used; it ships no types. */
declare module 'fft.js' {
  export default class FFT {
    /** @param size a power of two */
    constructor(size: number);
    /** Room for a spectrum: real and imaginary parts in turn. */
    createComplexArray(): number[];
    /** Fills the lower half of `out`, `size / 2 + 1` pairs. */
    realTransform(out: ArrayLike<number>, data: ArrayLike<number>): void;
  }
}
