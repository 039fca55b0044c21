// A binary message as a frame: a header of JSON values, and typed arrays by name.

const TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

/** { header, arrays }: arrays[name] is a typed array with a property `shape`. */
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const { name, dtype, shape, offset } of header.arrays) {
    const array = new TYPES[dtype](buffer, offset, shape.reduce((a, b) => a * b, 1));
    array.shape = shape;
    arrays[name] = array;
  }
  return { header, arrays };
}
