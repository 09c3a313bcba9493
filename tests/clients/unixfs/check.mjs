// What CIDs does the JavaScript importer of IPFS give to the patterns that chain/blobs is tested with?
//
//   npm ci
//   npm run check                                                     compare with the golden file
//   node check.mjs > ../../../chain/blobs/tests/golden/unixfs.txt     record it
//
// Bytes: the words of xorshift32 (13, 17, 5) from the seed 0x2545f491, each little-endian, cut at the size of the case.
import { readFileSync } from 'node:fs'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'

const MIB = 1 << 20
/** What the profile says: chunk of a leaf in bytes, links of a node. */
const PROFILE = [MIB, 1024]
/** Size, chunk, links. Small shapes reach the upper levels of the tree without gibibytes. */
const CASES = [
  ...[0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 17, 1024 * MIB + 1].map((size) => [size, ...PROFILE]),
  ...[64, 65, 80, 256, 257, 272, 1000, 1024, 1025, 4113].map((size) => [size, 16, 4]),
  ...[16 * 1024, 16 * 1024 + 1, 16 * 2048 + 5].map((size) => [size, 16, 1024])
]

function * pattern (size) {
  let word = 0x2545f491
  for (let done = 0; done < size; done += MIB) {
    const part = new Uint32Array(MIB / 4)
    for (let i = 0; i < part.length; i++) {
      word ^= word << 13
      word ^= word >>> 17
      word ^= word << 5
      part[i] = word
    }
    yield new Uint8Array(part.buffer).subarray(0, Math.min(MIB, size - done))
  }
}

const discard = { put: async (cid) => cid }

async function cid (size, chunk, links) {
  const shape = { chunker: fixedSize({ chunkSize: chunk }), layout: balanced({ maxChildrenPerNode: links }) }
  const options = { profile: 'unixfs-v1-2025', ...(chunk === MIB ? {} : shape) }
  for await (const entry of importer({ content: pattern(size) }, discard, options)) {
    return entry.cid.toString()
  }
}

const { version } = JSON.parse(readFileSync(new URL('node_modules/ipfs-unixfs-importer/package.json', import.meta.url)))
console.log(`# CIDs of the test pattern as the npm package ipfs-unixfs-importer ${version} gives them, profile unixfs-v1-2025.`)
console.log('# Made by `node check.mjs` in tests/clients/unixfs, where the pattern is described. A test that is red against')
console.log('# this file means that blobs would get other names than everywhere else: never re-record it to match the code.')
console.log('# size chunk links cid')
for (const [size, chunk, links] of CASES) {
  console.log(`${size} ${chunk} ${links} ${await cid(size, chunk, links)}`)
}
