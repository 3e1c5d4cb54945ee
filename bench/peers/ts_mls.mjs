// Benchmarks ts-mls; runs with the folder of its node_modules as working directory, its source on standard input.
// Argument: {"large": members, "small": members, "repeat": n}. Prints {operation: [seconds, ...]}.
import * as mls from "ts-mls"

const { large, small, repeat } = JSON.parse(process.argv[2])
const results = {}
const lifetime = { notBefore: 0n, notAfter: 9223372036854775807n }

async function timed(operation, work) {
  const start = process.hrtime.bigint()
  const value = await work()
  ;(results[operation] ??= []).push(Number(process.hrtime.bigint() - start) / 1e9)
  return value
}

const suiteOf = (number) =>
  mls.getCiphersuiteImpl(
    mls.getCiphersuiteFromName(Object.keys(mls.ciphersuites).find((key) => mls.ciphersuites[key] === number)),
  )

async function keysFor(name, suite) {
  const credential = { credentialType: "basic", identity: new TextEncoder().encode(name) }
  return mls.generateKeyPackage(credential, mls.defaultCapabilities(), lifetime, [], suite)
}

const found = ({ publicPackage, privatePackage }, suite) =>
  mls.createGroup(new TextEncoder().encode("bench"), publicPackage, privatePackage, [], suite)

const addsOf = (keys) =>
  keys.map(({ publicPackage }) => ({ proposalType: "add", add: { keyPackage: publicPackage } }))

const commit = (state, suite, extraProposals = []) =>
  mls.createCommit({ state, cipherSuite: suite }, { extraProposals, ratchetTreeExtension: true })

const join = (welcome, { publicPackage, privatePackage }, suite) =>
  mls.joinGroup(welcome, publicPackage, privatePackage, mls.emptyPskIndex, suite)

const receive = async (state, message, suite) =>
  (await mls.processPrivateMessage(state, message.privateMessage, mls.emptyPskIndex, suite)).newState

const wire = (message) => mls.decodeMlsMessage(mls.encodeMlsMessage(message), 0)[0]

async function bulk(size, suite, names) {
  const founder = await keysFor("founder", suite)
  const others = []
  for (let i = 1; i < size; i++) others.push(await keysFor(`member ${i}`, suite))
  let alice = await found(founder, suite)
  let made
  for (let i = 0; i < (names.add ? 2 : 1); i++) {
    made = await (names.add ? timed(names.add, () => commit(alice, suite, addsOf(others))) : commit(alice, suite, addsOf(others)))
  }
  alice = made.newState
  let bob
  for (let i = 0; i < (names.join ? 3 : 1); i++) {
    const joining = () => join(made.welcome, others.at(-1), suite)
    bob = await (names.join ? timed(names.join, joining) : joining())
  }
  const commits = []
  for (let i = 0; i < Math.min(repeat, size > 500 ? 3 : 8); i++) {
    const update = await timed(names.update, () => commit(alice, suite))
    alice = update.newState
    commits.push(wire(update.commit))
  }
  for (const message of commits) {
    const receiving = () => receive(bob, message, suite)
    bob = await (names.process ? timed(names.process, receiving) : receiving())
  }
  return { alice, bob }
}

async function filled(size, suite) {
  // Everybody is added by alice and commits once: no parent node stays blank.
  let alice = await found(await keysFor("founder", suite), suite)
  let bob
  for (let i = 1; i < size; i++) {
    const keys = await keysFor(`member ${i}`, suite)
    const added = await commit(alice, suite, addsOf([keys]))
    alice = added.newState
    if (bob) bob = await receive(bob, wire(added.commit), suite)
    let carol = await join(added.welcome, keys, suite)
    const update = await commit(carol, suite)
    carol = update.newState
    alice = await receive(alice, wire(update.commit), suite)
    if (bob) bob = await receive(bob, wire(update.commit), suite)
    else bob = carol
  }
  const commits = []
  for (let i = 0; i < Math.min(repeat, 8); i++) {
    const update = await timed("update_filled", () => commit(alice, suite))
    alice = update.newState
    commits.push(wire(update.commit))
  }
  for (const message of commits) {
    bob = await timed("process_filled", () => receive(bob, message, suite))
  }
}

async function messages(alice, bob, suite) {
  const data = new Uint8Array(100)
  const sent = []
  for (let i = 0; i < 500; i++) {
    const { newState, privateMessage } = await timed("protect", () => mls.createApplicationMessage(alice, data, suite))
    alice = newState
    sent.push(wire({ version: "mls10", wireformat: "mls_private_message", privateMessage }))
  }
  for (const message of sent) {
    bob = await timed("open", async () => receive(bob, message, suite))
  }
}

const suite = await suiteOf(3)
const pair = await bulk(2, suite, { update: "update_two" })
await messages(pair.alice, pair.bob, suite)
await bulk(small, suite, { update: "update_small", join: "join_small" })
await bulk(small, await suiteOf(0x54), { update: "update_xwing" })
await filled(small, suite)
await bulk(large, suite, { add: "add_large", join: "join_large", update: "update_large", process: "process_large" })
process.stdout.write(JSON.stringify(results))
