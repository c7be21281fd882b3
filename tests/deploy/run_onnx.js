// node run_onnx.js MODEL float32|float64 D,D,... X Y: runs a model by ONNX Runtime, from and to files of plain numbers.
const fs = require('fs');
const load = () => {
  for (const name of ['onnxruntime-node', 'onnxruntime-web']) {
    try {
      return require(name);
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  process.exit(77); // not installed
};
const [model, type, dims, xFile, yFile] = process.argv.slice(2);
const runtime = load();
if (!model) process.exit(0);
const run = async () => {
  const session = await runtime.InferenceSession.create(fs.readFileSync(model));
  const bytes = new Uint8Array(fs.readFileSync(xFile)).buffer;
  const x = type === 'float32' ? new Float32Array(bytes) : new Float64Array(bytes);
  const { y } = await session.run({ x: new runtime.Tensor(type, x, dims.split(',').map(Number)) });
  fs.writeFileSync(yFile, new Uint8Array(y.data.buffer, y.data.byteOffset, y.data.byteLength));
};
run().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
