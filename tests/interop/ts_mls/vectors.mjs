// Check MLS test vectors with ts-mls: node vectors.mjs FOLDER. Prints {file, passed, total, failure} a line.
// Each file is named after its family; the formats are those of test-vectors.md in mlswg/mls-implementations.
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"

import * as mls from "ts-mls"
import { decodeAuthenticatedContent } from "ts-mls/authenticatedContent.js"
import { encodeCommit } from "ts-mls/commit.js"
import { refhash } from "ts-mls/crypto/hash.js"
import { decryptWithLabel } from "ts-mls/crypto/hpke.js"
import { deriveSecret, deriveTreeSecret, expandWithLabel } from "ts-mls/crypto/kdf.js"
import { signWithLabel, verifyWithLabel } from "ts-mls/crypto/signature.js"
import { createConfirmationTag } from "ts-mls/framedContent.js"
import { encodeGroupContext } from "ts-mls/groupContext.js"
import { verifyGroupInfoConfirmationTag, verifyGroupInfoSignature } from "ts-mls/groupInfo.js"
import { makeKeyPackageRef } from "ts-mls/keyPackage.js"
import { initializeEpoch, mlsExporter } from "ts-mls/keySchedule.js"
import { verifyLeafNodeSignature } from "ts-mls/leafNode.js"
import { unprotectPrivateMessage } from "ts-mls/messageProtection.js"
import { unprotectPublicMessage } from "ts-mls/messageProtectionPublic.js"
import { verifyParentHashes } from "ts-mls/parentHash.js"
import { pathToRoot } from "ts-mls/pathSecrets.js"
import { computePskSecret } from "ts-mls/presharedkey.js"
import { mergePrivateKeyPaths, toPrivateKeyPath } from "ts-mls/privateKeyPath.js"
import { decodeProposal, encodeProposal } from "ts-mls/proposal.js"
import {
  addLeafNode, decodeRatchetTree, encodeRatchetTree, removeLeafNode, resolution, updateLeafNode,
} from "ts-mls/ratchetTree.js"
import { createSecretTree, ratchetToGeneration } from "ts-mls/secretTree.js"
import { expandSenderDataKey, expandSenderDataNonce } from "ts-mls/sender.js"
import { createConfirmedHash, createInterimHash } from "ts-mls/transcriptHash.js"
import { treeHash, treeHashRoot } from "ts-mls/treeHash.js"
import { leafToNodeIndex } from "ts-mls/treemath.js"
import { applyUpdatePath, decodeUpdatePath, firstCommonAncestor } from "ts-mls/updatePath.js"
import { applyUpdatePathSecret } from "ts-mls/createCommit.js"
import { decryptGroupInfo, decryptGroupSecrets } from "ts-mls/welcome.js"

import { bytes, hex } from "../lines.mjs"

function equal(found, wanted, what) {
  const text = found instanceof Uint8Array ? hex(found) : JSON.stringify(found)
  const expected = typeof wanted === "string" ? wanted : JSON.stringify(wanted)
  if (text !== expected) throw new Error(`${what}: ${text?.slice(0, 80)} instead of ${expected.slice(0, 80)}`)
}

function whole(decoder, text) {
  const data = bytes(text)
  const decoded = decoder(data, 0)
  if (decoded === undefined || decoded[1] !== data.length) throw new Error("cannot be decoded")
  return decoded[0]
}

async function suiteOf(vector) {
  const name = Object.keys(mls.ciphersuites).find((key) => mls.ciphersuites[key] === vector.cipher_suite)
  return mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(name))
}

const contextOf = (suite, vector, tree_hash, epoch = vector.epoch) => ({
  version: "mls10", cipherSuite: suite.name, groupId: bytes(vector.group_id), epoch: BigInt(epoch),
  treeHash: bytes(tree_hash), confirmedTranscriptHash: bytes(vector.confirmed_transcript_hash), extensions: [],
})

const retention = { retainKeysForGenerations: 100, retainKeysForEpochs: 4, maximumForwardRatchetSteps: 100 }

const verify = {
  async "crypto-basics"(vector, suite) {
    let v = vector.ref_hash
    equal(await refhash(v.label, bytes(v.value), suite.hash), v.out, "ref_hash")
    v = vector.expand_with_label
    equal(await expandWithLabel(bytes(v.secret), v.label, bytes(v.context), v.length, suite.kdf), v.out, "expand")
    v = vector.derive_secret
    equal(await deriveSecret(bytes(v.secret), v.label, suite.kdf), v.out, "derive_secret")
    v = vector.derive_tree_secret
    equal(await deriveTreeSecret(bytes(v.secret), v.label, v.generation, v.length, suite.kdf), v.out, "tree_secret")
    v = vector.sign_with_label
    equal(await verifyWithLabel(bytes(v.pub), v.label, bytes(v.content), bytes(v.signature), suite.signature), true, "verify")
    equal(await signWithLabel(bytes(v.priv), v.label, bytes(v.content), suite.signature), v.signature, "sign")
    v = vector.encrypt_with_label
    const key = await suite.hpke.importPrivateKey(bytes(v.priv))
    const opened = await decryptWithLabel(key, v.label, bytes(v.context), bytes(v.kem_output), bytes(v.ciphertext), suite.hpke)
    equal(opened, v.plaintext, "decrypt")
  },

  async "key-schedule"(vector, suite) {
    let init = bytes(vector.initial_init_secret)
    for (const [number, epoch] of vector.epochs.entries()) {
      const context = contextOf(suite, { ...vector, ...epoch }, epoch.tree_hash, number)
      equal(encodeGroupContext(context), epoch.group_context, "group_context")
      const found = await initializeEpoch(init, bytes(epoch.commit_secret), context, bytes(epoch.psk_secret), suite.kdf)
      const secrets = found.keySchedule
      equal(found.joinerSecret, epoch.joiner_secret, "joiner_secret")
      equal(found.welcomeSecret, epoch.welcome_secret, "welcome_secret")
      equal(found.encryptionSecret, epoch.encryption_secret, "encryption_secret")
      equal(secrets.initSecret, epoch.init_secret, "init_secret")
      equal(secrets.senderDataSecret, epoch.sender_data_secret, "sender_data_secret")
      equal(secrets.exporterSecret, epoch.exporter_secret, "exporter_secret")
      equal(secrets.epochAuthenticator, epoch.epoch_authenticator, "epoch_authenticator")
      equal(secrets.externalSecret, epoch.external_secret, "external_secret")
      equal(secrets.confirmationKey, epoch.confirmation_key, "confirmation_key")
      equal(secrets.membershipKey, epoch.membership_key, "membership_key")
      equal(secrets.resumptionPsk, epoch.resumption_psk, "resumption_psk")
      const external = await suite.hpke.deriveKeyPair(secrets.externalSecret)
      equal(await suite.hpke.exportPublicKey(external.publicKey), epoch.external_pub, "external_pub")
      const { label, context: exportContext, length, secret } = epoch.exporter
      equal(await mlsExporter(secrets.exporterSecret, label, bytes(exportContext), length, suite), secret, "exporter")
      init = secrets.initSecret
    }
  },

  async "psk-secret"(vector, suite) {
    const psks = vector.psks.map(({ psk_id, psk, psk_nonce }) => [
      { psktype: "external", pskId: bytes(psk_id), pskNonce: bytes(psk_nonce) }, bytes(psk),
    ])
    equal(await computePskSecret(psks, suite), vector.psk_secret, "psk_secret")
  },

  async "secret-tree"(vector, suite) {
    const { sender_data_secret, ciphertext, key, nonce } = vector.sender_data
    equal(await expandSenderDataKey(suite, bytes(sender_data_secret), bytes(ciphertext)), key, "sender data key")
    equal(await expandSenderDataNonce(suite, bytes(sender_data_secret), bytes(ciphertext)), nonce, "sender data nonce")
    const tree = await createSecretTree(vector.leaves.length, bytes(vector.encryption_secret), suite.kdf)
    for (const [leafIndex, entries] of vector.leaves.entries()) {
      for (const entry of entries) {
        for (const [kind, name] of [["proposal", "handshake"], ["application", "application"]]) {
          const senderData = { leafIndex, generation: entry.generation, reuseGuard: new Uint8Array(4) }
          const found = await ratchetToGeneration(tree, senderData, kind, retention, suite)
          equal(found.key, entry[`${name}_key`], `${name} key`)
          equal(found.nonce, entry[`${name}_nonce`], `${name} nonce`)
        }
      }
    }
  },

  async "message-protection"(vector, suite) {
    const context = contextOf(suite, vector, vector.tree_hash)
    const key = bytes(vector.signature_pub)
    const tree = [{ nodeType: "leaf" }, undefined, { nodeType: "leaf" }]
    const contentOf = ({ content }) =>
      content.contentType === "proposal" ? encodeProposal(content.proposal)
      : content.contentType === "commit" ? encodeCommit(content.commit) : content.applicationData
    for (const name of ["proposal", "commit", "application"]) {
      if (name !== "application") {
        const message = whole(mls.decodeMlsMessage, vector[`${name}_pub`]).publicMessage
        const found = await unprotectPublicMessage(bytes(vector.membership_key), context, tree, message, suite, key)
        equal(contentOf(found), vector[name], `${name}_pub`)
      }
      const secretTree = await createSecretTree(2, bytes(vector.encryption_secret), suite.kdf)
      const message = whole(mls.decodeMlsMessage, vector[`${name}_priv`]).privateMessage
      const found = await unprotectPrivateMessage(
        bytes(vector.sender_data_secret), message, secretTree, tree, context, retention, suite, key,
      )
      equal(contentOf(found.content), vector[name], `${name}_priv`)
    }
  },

  async "transcript-hashes"(vector, suite) {
    const { wireformat, content, auth } = whole(decodeAuthenticatedContent, vector.authenticated_content)
    const input = { wireformat, content, signature: auth.signature }
    const confirmed = await createConfirmedHash(bytes(vector.interim_transcript_hash_before), input, suite.hash)
    equal(confirmed, vector.confirmed_transcript_hash_after, "confirmed")
    equal(await createConfirmationTag(bytes(vector.confirmation_key), confirmed, suite.hash), hex(auth.confirmationTag), "tag")
    equal(await createInterimHash(confirmed, auth.confirmationTag, suite.hash), vector.interim_transcript_hash_after, "interim")
  },

  async "tree-operations"(vector, suite) {
    const before = whole(decodeRatchetTree, vector.tree_before)
    equal(await treeHashRoot(before, suite.hash), vector.tree_hash_before, "tree_hash_before")
    const proposal = whole(decodeProposal, vector.proposal)
    const after =
      proposal.proposalType === "add" ? addLeafNode(before, proposal.add.keyPackage.leafNode)[0]
      : proposal.proposalType === "update" ? updateLeafNode(before, proposal.update.leafNode, vector.proposal_sender)
      : removeLeafNode(before, proposal.remove.removed)
    equal(encodeRatchetTree(after), vector.tree_after, "tree_after")
    equal(await treeHashRoot(after, suite.hash), vector.tree_hash_after, "tree_hash_after")
  },

  async "tree-validation"(vector, suite) {
    const tree = whole(decodeRatchetTree, vector.tree)
    for (const [index, wanted] of vector.resolutions.entries()) {
      equal(resolution(tree, index), wanted, "resolution")
      equal(await treeHash(tree, index, suite.hash), vector.tree_hashes[index], "tree hash")
    }
    equal(await verifyParentHashes(tree, suite.hash), true, "parent hashes")
    for (const [index, node] of tree.entries()) {
      if (node?.nodeType === "leaf") {
        equal(await verifyLeafNodeSignature(node.leaf, bytes(vector.group_id), index / 2, suite.signature), true, "signature")
      }
    }
  },

  async treekem(vector, suite) {
    const tree = whole(decodeRatchetTree, vector.ratchet_tree)
    const paths = []
    for (const { index, encryption_priv, path_secrets } of vector.leaves_private) {
      const secrets = Object.fromEntries(path_secrets.map(({ node, path_secret }) => [node, bytes(path_secret)]))
      const above = await toPrivateKeyPath(secrets, index, suite)
      const own = { leafIndex: index, privateKeys: { [leafToNodeIndex(index)]: bytes(encryption_priv) } }
      paths.push(mergePrivateKeyPaths(above, own))
    }
    for (const update of vector.update_paths) {
      const path = whole(decodeUpdatePath, update.update_path)
      const after = await applyUpdatePath(tree, update.sender, path, suite.hash)
      equal(await treeHashRoot(after, suite.hash), update.tree_hash_after, "tree_hash_after")
      const context = contextOf(suite, vector, update.tree_hash_after)
      for (const own of paths.filter(({ leafIndex }) => leafIndex !== update.sender)) {
        const { nodeIndex, pathSecret } = await applyUpdatePathSecret(after, own, update.sender, context, path, [], suite)
        equal(pathSecret, update.path_secrets[own.leafIndex], "path secret")
        equal(nodeIndex, firstCommonAncestor(after, own.leafIndex, update.sender), "ancestor")
        const secrets = await pathToRoot(after, nodeIndex, pathSecret, suite.kdf)
        const root = (after.length - 1) / 2
        equal(await deriveSecret(secrets[root], "path", suite.kdf), update.commit_secret, "commit_secret")
      }
    }
  },

  async welcome(vector, suite) {
    const keyPackage = whole(mls.decodeMlsMessage, vector.key_package).keyPackage
    const { welcome } = whole(mls.decodeMlsMessage, vector.welcome)
    const key = await suite.hpke.importPrivateKey(bytes(vector.init_priv))
    const reference = await makeKeyPackageRef(keyPackage, suite.hash)
    const { joinerSecret } = await decryptGroupSecrets(key, reference, welcome, suite.hpke)
    const noPsk = new Uint8Array(suite.kdf.size)
    const info = await decryptGroupInfo(welcome, joinerSecret, noPsk, suite)
    equal(await verifyGroupInfoSignature(info, bytes(vector.signer_pub), suite.signature), true, "signature")
    equal(await verifyGroupInfoConfirmationTag(info, joinerSecret, noPsk, suite), true, "confirmation tag")
  },

  async "passive-client"(vector, suite) {
    const keyPackage = whole(mls.decodeMlsMessage, vector.key_package).keyPackage
    const privates = {
      initPrivateKey: bytes(vector.init_priv),
      hpkePrivateKey: bytes(vector.encryption_priv),
      signaturePrivateKey: bytes(vector.signature_priv),
    }
    const psks = Object.fromEntries(
      vector.external_psks.map(({ psk_id, psk }) => [Buffer.from(psk_id, "hex").toString("base64"), bytes(psk)]),
    )
    const welcome = whole(mls.decodeMlsMessage, vector.welcome).welcome
    const tree = vector.ratchet_tree === null ? undefined : whole(decodeRatchetTree, vector.ratchet_tree)
    let state = await mls.joinGroup(welcome, keyPackage, privates, mls.makePskIndex(undefined, psks), suite, tree)
    equal(state.keySchedule.epochAuthenticator, vector.initial_epoch_authenticator, "initial authenticator")
    for (const [number, epoch] of vector.epochs.entries()) {
      for (const text of [...epoch.proposals, epoch.commit]) {
        const message = whole(mls.decodeMlsMessage, text)
        const index = mls.makePskIndex(state, psks)
        const result =
          message.wireformat === "mls_private_message"
            ? await mls.processPrivateMessage(state, message.privateMessage, index, suite)
            : await mls.processPublicMessage(state, message.publicMessage, index, suite)
        state = result.newState
      }
      equal(state.keySchedule.epochAuthenticator, epoch.epoch_authenticator, `authenticator ${number}`)
    }
  },
}

const folder = process.argv[2]
for (const file of (await readdir(folder)).sort()) {
  if (!file.endsWith(".json")) continue
  const vectors = JSON.parse(await readFile(join(folder, file), "utf8"))
  const result = { file, passed: 0, total: vectors.length, failure: null }
  for (const [number, vector] of vectors.entries()) {
    try {
      await verify[file.slice(0, -".json".length)](vector, await suiteOf(vector))
      result.passed += 1
    } catch (error) {
      result.failure ??= `entry ${number}: ${error.stack}`
    }
  }
  console.log(JSON.stringify(result))
}
