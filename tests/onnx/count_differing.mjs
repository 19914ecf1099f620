// Counts the numbers in which two .npy files of float32 differ: node count_differing.mjs A.npy B.npy
import { readFileSync } from "node:fs";

function numbers(file) {
    const bytes = readFileSync(file);
    const end = 10 + bytes.readUInt16LE(8);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset + end, bytes.byteOffset + bytes.length));
}
const [a, b] = process.argv.slice(2).map(numbers);
if (a.length !== b.length || a.length === 0) throw new Error(`${a.length} and ${b.length} numbers`);
let differing = 0;
let largest = 0;
for (let i = 0; i < a.length; ++i)
    if (!Object.is(a[i], b[i]) && a[i] !== b[i]) {
        ++differing;
        largest = Math.max(largest, Math.abs(a[i] - b[i]));
    }
console.log(`${differing} of ${a.length} results differ, by ${largest} at most`);
