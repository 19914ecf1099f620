// Runs a model of ONNX with one input and one output by ONNX Runtime:
//
//   node run_onnx.mjs MODEL INPUT.npy OUTPUT.npy [disabled|basic|extended|all] [exact]
//
// Inputs and outputs are .npy files of float32, row-major. The last word says how much of the graph ONNX Runtime may rewrite;
// the default is all. With exact, kernels that saturate on processors without VNNI are not used. The package onnxruntime-node (npm install --ignore-scripts onnxruntime-node) is looked for in the
// folder NOTCH_ORT, or in the current one. Without it the script says so and ends with 77, which CTest takes for skipped.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

const [model, inputFile, outputFile, level = "all", exact = ""] = process.argv.slice(2);
if (outputFile === undefined) {
    console.error("usage: node run_onnx.mjs MODEL INPUT.npy OUTPUT.npy [disabled|basic|extended|all] [exact]");
    process.exit(2);
}

let runtime;
try {
    runtime = createRequire(resolve(process.env.NOTCH_ORT ?? ".", "none.js"))("onnxruntime-node");
} catch {
    console.log("skipped: onnxruntime-node is not installed; set NOTCH_ORT to the folder where it is");
    process.exit(77);
}

function readNpy(file) {
    const bytes = readFileSync(file);
    if (bytes.subarray(0, 6).toString("latin1") !== "\x93NUMPY") throw new Error(`${file} is no .npy file`);
    const wide = bytes[6] > 1;
    const start = wide ? 12 : 10;
    const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
    const header = bytes.subarray(start, end).toString("latin1");
    if (!header.includes("'<f4'") || header.includes("'fortran_order': True"))
        throw new Error(`${file} holds no row-major float32`);
    const shape = header.match(/'shape': \(([^)]*)\)/)[1].split(",").filter((text) => text.trim()).map(Number);
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + end, bytes.byteOffset + bytes.length));
    return { shape, values };
}

function writeNpy(file, shape, values) {
    const extents = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
    let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${extents}), }`;
    header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
    const head = Buffer.alloc(10);
    head.write("\x93NUMPY\x01\x00", "latin1");
    head.writeUInt16LE(header.length, 8);
    const data = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    writeFileSync(file, Buffer.concat([head, Buffer.from(header, "latin1"), data]));
}

const options = { graphOptimizationLevel: level, logSeverityLevel: 3 };
if (exact === "exact") options.extra = { session: { x64quantprecision: "1" } };
const session = await runtime.InferenceSession.create(model, options);
if (session.inputNames.length !== 1 || session.outputNames.length !== 1)
    throw new Error(`${model} has ${session.inputNames.length} inputs and ${session.outputNames.length} outputs`);
const { shape, values } = readNpy(inputFile);
const results = await session.run({ [session.inputNames[0]]: new runtime.Tensor("float32", values, shape) });
const result = results[session.outputNames[0]];
writeNpy(outputFile, result.dims, result.data);
