// One JSON object a line in, one out: {op, ...} -> {ok: {...}} or {error: "..."}. Bytes are hex strings.
import { createInterface } from "node:readline"

export const hex = (bytes) => Buffer.from(bytes).toString("hex")
export const bytes = (text) => new Uint8Array(Buffer.from(text, "hex"))

export async function serve(operations) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { op, ...rest } = JSON.parse(line)
    let answer
    try {
      answer = { ok: (await operations[op](rest)) ?? {} }
    } catch (error) {
      answer = { error: describe(error) }
    }
    process.stdout.write(JSON.stringify(answer) + "\n")
  }
}

// core-crypto wraps what went wrong in `inner`, ts-mls says it in `message`.
function describe(error) {
  const inner = error?.inner === undefined ? "" : " " + JSON.stringify(error.inner)
  return `${error?.name ?? "Error"}: ${error?.message}${inner}`
}
