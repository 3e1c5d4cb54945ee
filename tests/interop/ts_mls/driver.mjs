// Members of MLS groups as ts-mls implements them; see ../lines.mjs for the protocol.
import * as mls from "ts-mls"
import { treeHashRoot } from "ts-mls/treeHash.js"

import { bytes, hex, serve } from "../lines.mjs"

const members = new Map()
const preSharedKeys = {}

// Keep every epoch and generation that a session can still ask for, so that only wrong bytes fail.
const config = {
  keyRetentionConfig: { retainKeysForGenerations: 1000, retainKeysForEpochs: 5, maximumForwardRatchetSteps: 1000 },
  lifetimeConfig: { maximumTotalLifetime: 10_000_000n, validateLifetimeOnReceive: true },
  keyPackageEqualityConfig: mls.defaultKeyPackageEqualityConfig,
  paddingConfig: mls.defaultPaddingConfig,
  authService: mls.defaultAuthenticationService,
}

function decode(message, wireformat) {
  const data = bytes(message)
  const decoded = mls.decodeMlsMessage(data, 0)
  if (decoded === undefined || decoded[1] !== data.length) throw new Error("not one MLSMessage")
  if (wireformat !== undefined && decoded[0].wireformat !== wireformat) throw new Error(`expected ${wireformat}`)
  return decoded[0]
}

const encode = (content) => hex(mls.encodeMlsMessage({ version: "mls10", ...content }))
const keyPackageOf = (message) => decode(message, "mls_key_package").keyPackage

function proposalsOf(member, { add = [], remove = [], psk = [] }) {
  return [
    ...add.map((message) => ({ proposalType: "add", add: { keyPackage: keyPackageOf(message) } })),
    ...remove.map((removed) => ({ proposalType: "remove", remove: { removed } })),
    ...psk.map((id) => ({
      proposalType: "psk",
      psk: { preSharedKeyId: { psktype: "external", pskId: bytes(id), pskNonce: member.suite.rng.randomBytes(member.suite.kdf.size) } },
    })),
  ]
}

const pskIndex = (state) => mls.makePskIndex(state, preSharedKeys)

await serve({
  async member({ name, suite, identity, not_before, not_after, grease }) {
    const suiteName = Object.keys(mls.ciphersuites).find((key) => mls.ciphersuites[key] === suite)
    const implementation = await mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(suiteName))
    const capabilities = {
      versions: ["mls10"],
      ciphersuites: [suiteName, ...grease.map(String)],
      extensions: grease,
      proposals: grease,
      credentials: ["basic", "x509", ...grease.map(String)],
    }
    const credential = { credentialType: "basic", identity: bytes(identity) }
    const lifetime = { notBefore: BigInt(not_before), notAfter: BigInt(not_after) }
    const keys = await mls.generateKeyPackage(credential, capabilities, lifetime, [], implementation)
    members.set(name, { suite: implementation, keys, state: undefined, next: undefined })
    return { key_package: encode({ wireformat: "mls_key_package", keyPackage: keys.publicPackage }) }
  },

  psk({ id, secret }) {
    preSharedKeys[Buffer.from(id, "hex").toString("base64")] = bytes(secret)
  },

  async create({ name, group_id }) {
    const member = members.get(name)
    const { publicPackage, privatePackage } = member.keys
    member.state = await mls.createGroup(bytes(group_id), publicPackage, privatePackage, [], member.suite, config)
  },

  async join({ name, welcome }) {
    const member = members.get(name)
    member.state = await mls.joinGroup(
      decode(welcome, "mls_welcome").welcome, member.keys.publicPackage, member.keys.privatePackage,
      mls.makePskIndex(undefined, preSharedKeys), member.suite, undefined, undefined, config,
    )
  },

  async commit({ name, public: wireAsPublicMessage, ...wanted }) {
    const member = members.get(name)
    const { newState, welcome, commit } = await mls.createCommit(
      { state: member.state, cipherSuite: member.suite, pskIndex: pskIndex(member.state) },
      { extraProposals: proposalsOf(member, wanted), wireAsPublicMessage, ratchetTreeExtension: true },
    )
    member.next = newState
    return { commit: encode(commit), welcome: welcome && encode({ wireformat: "mls_welcome", welcome }) }
  },

  async propose({ name, public: publicMessage, ...wanted }) {
    const member = members.get(name)
    const [proposal] = proposalsOf(member, wanted)
    const { newState, message } = await mls.createProposal(member.state, publicMessage, proposal, member.suite)
    member.state = newState
    return { message: encode(message) }
  },

  merge({ name }) {
    const member = members.get(name)
    member.state = member.next
    member.next = undefined
  },

  discard({ name }) {
    members.get(name).next = undefined
  },

  async receive({ name, message }) {
    const member = members.get(name)
    const decoded = decode(message)
    const result =
      decoded.wireformat === "mls_private_message"
        ? await mls.processPrivateMessage(member.state, decoded.privateMessage, pskIndex(member.state), member.suite)
        : { kind: "newState", ...(await mls.processPublicMessage(member.state, decoded.publicMessage, pskIndex(member.state), member.suite)) }
    member.state = result.newState
    return result.kind === "applicationMessage" ? { data: hex(result.message) } : {}
  },

  async protect({ name, data }) {
    const member = members.get(name)
    const { newState, privateMessage } = await mls.createApplicationMessage(member.state, bytes(data), member.suite)
    member.state = newState
    return { message: encode({ wireformat: "mls_private_message", privateMessage }) }
  },

  async status({ name, label, context, length }) {
    const { state, suite } = members.get(name)
    const { groupContext, keySchedule } = state
    const exported = await mls.mlsExporter(keySchedule.exporterSecret, label, bytes(context), length, suite)
    return {
      active: state.groupActiveState.kind === "active",
      epoch: Number(groupContext.epoch),
      epoch_authenticator: hex(keySchedule.epochAuthenticator),
      tree_hash: hex(await treeHashRoot(state.ratchetTree, suite.hash)),
      exported: hex(exported),
    }
  },

  leave({ name }) {
    members.delete(name)
  },
})
