// Runs models with ONNX Runtime and tells how long that took. The package onnxruntime-node is looked for in the folder
// NOTCH_ORT, which holds node_modules. Reads lines of words with tabs between them, answers each with one line:
//
//     hello                                       -> version of ONNX Runtime
//     open NAME THREADS EXACT DIMS IMAGES MODEL   -> ok          DIMS: of one image, 3x32x32; IMAGES: a file of floats
//     run NAME BATCH NS                           -> nanoseconds of each run, measured here: NS of runs, after NS untimed
//     results NAME BATCH                          -> the numbers that the model gives
//     close NAME                                  -> ok
//
// An error is a line that starts with "error".
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { createInterface } from "node:readline";

const ort = createRequire(resolve(process.env.NOTCH_ORT ?? ".", "none.js"))("onnxruntime-node");
const models = new Map();

async function open(name, threads, exact, dims, images, path) {
    const session = await ort.InferenceSession.create(path, {
        executionMode: "sequential",
        extra: { session: { force_spinning_stop: "1", x64quantprecision: exact } },
        graphOptimizationLevel: "all",
        interOpNumThreads: 1,
        intraOpNumThreads: Number(threads),
        logSeverityLevel: 3,
    });
    const bytes = readFileSync(images);
    const floats = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    models.set(name, { session, floats, dims: dims.split("x").map(Number) });
    return "ok";
}

function feedOf(name, batch) {
    const { session, floats, dims } = models.get(name);
    const size = batch * dims.reduce((a, b) => a * b, 1);
    return { [session.inputNames[0]]: new ort.Tensor("float32", floats.subarray(0, size), [batch, ...dims]) };
}

async function run(name, batch, ns) {
    const { session } = models.get(name);
    const feed = feedOf(name, Number(batch));
    const list = [];
    let timed = 0;
    for (let untimed = 0; timed < Number(ns); ) {
        const start = process.hrtime.bigint();
        await session.run(feed);
        const time = Number(process.hrtime.bigint() - start);
        if (untimed < Number(ns)) {
            untimed += time;
        } else {
            timed += time;
            list.push(time);
        }
    }
    return list.join(" ");
}

async function results(name, batch) {
    const { session } = models.get(name);
    const outputs = await session.run(feedOf(name, Number(batch)));
    return outputs[session.outputNames[0]].data.join(" ");
}

async function close(name) {
    const { session } = models.get(name);
    models.delete(name);
    await session.release();
    return "ok";
}

const commands = { hello: async () => ort.env.versions?.node ?? "unknown", open, run, results, close };
for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split("\t");
    let answer;
    try {
        answer = await commands[command](...words);
    } catch (error) {
        answer = "error " + String(error.message ?? error).replaceAll("\n", " ");
    }
    process.stdout.write(answer + "\n");
}
