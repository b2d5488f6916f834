// Convolution and correlation of long recordings with short pieces, by FFT and overlap-save.

const SIZE = 8192;

/** Cosine and sine of the FFT's turns. */
const TURNS = Array.from({ length: SIZE / 2 }, (_, n) => {
  const turn = (-2 * Math.PI * n) / SIZE;
  return [Math.cos(turn), Math.sin(turn)];
});
const COS = Float64Array.from(TURNS, ([cos]) => cos);
const SIN = Float64Array.from(TURNS, ([, sin]) => sin);

/** Transform in place (Cooley and Tukey, radix 2), forward.
 * @param {Float64Array} real
 * @param {Float64Array} imaginary */
function transform(real, imaginary) {
  for (let i = 1, j = 0; i < SIZE; i += 1) {
    let bit = SIZE >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let length = 2; length <= SIZE; length *= 2) {
    const half = length / 2;
    const stride = SIZE / length;
    for (let start = 0; start < SIZE; start += length) {
      for (let k = 0; k < half; k += 1) {
        const [a, b] = [start + k, start + k + half];
        const [cos, sin] = [COS[k * stride], SIN[k * stride]];
        const x = real[b] * cos - imaginary[b] * sin;
        const y = real[b] * sin + imaginary[b] * cos;
        real[b] = real[a] - x;
        imaginary[b] = imaginary[a] - y;
        real[a] += x;
        imaginary[a] += y;
      }
    }
  }
}

/** The whole convolution, of length a + b - 1; `piece` is shorter than half of the FFT.
 * @param {ArrayLike<number>} recording
 * @param {Float64Array} piece
 * @returns {Float64Array} */
export function convolve(recording, piece) {
  const [pieceReal, pieceImaginary] = [new Float64Array(SIZE), new Float64Array(SIZE)];
  pieceReal.set(piece);
  transform(pieceReal, pieceImaginary);
  const result = new Float64Array(recording.length + piece.length - 1);
  const [real, imaginary] = [new Float64Array(SIZE), new Float64Array(SIZE)];
  const fresh = SIZE - piece.length + 1; // results of one transform that have not wrapped round
  for (let start = 0; start < result.length; start += fresh) {
    const first = start - (piece.length - 1);
    for (let n = 0; n < SIZE; n += 1) real[n] = recording[first + n] ?? 0;
    imaginary.fill(0);
    transform(real, imaginary);
    for (let n = 0; n < SIZE; n += 1) {
      const product = real[n] * pieceReal[n] - imaginary[n] * pieceImaginary[n];
      // conjugated, so that another forward transform is the inverse one
      imaginary[n] = -(real[n] * pieceImaginary[n] + imaginary[n] * pieceReal[n]);
      real[n] = product;
    }
    transform(real, imaginary);
    const last = Math.min(fresh, result.length - start);
    for (let n = 0; n < last; n += 1) result[start + n] = real[piece.length - 1 + n] / SIZE;
  }
  return result;
}

/** The correlation at every lag where the piece is inside the recording.
 * @param {Float64Array} recording
 * @param {Float64Array} piece */
export function correlate(recording, piece) {
  const whole = convolve(recording, piece.slice().reverse());
  return whole.subarray(piece.length - 1, recording.length);
}
