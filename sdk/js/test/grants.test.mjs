// Grants by two implementations: the chain's own Rust code, and another one over noble-curves that was written from
// docs/grants.md. Both must make every byte of the vectors that Rust's tests record, and refuse the same.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { GrantError, Verifier } from "../dist/index.js";
import * as deals from "../independent/dist/deal.js";
import * as other from "../independent/dist/grant.js";
import { G, derive, encoded, point, scalarBytes, secretKey, times } from "../independent/dist/group.js";

const read = (url) => readFileSync(new URL(url, import.meta.url));
const verifier = await Verifier.load(read("../dist/verify.wasm"));
const { grants, guardians } = verifier;
const vectors = JSON.parse(read("../../verify/tests/vectors/grants.json"));

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const text = (text) => new TextEncoder().encode(text);

/** One implementation, in bytes. Checks answer whether something holds. */
const holds = (check) => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};
const rust = {
  name: "Rust",
  derive: (master, purpose, context) => grants.derive(master, purpose, context),
  publicKey: (secret) => grants.publicKey(secret),
  newPoint: (entropy) => grants.newPoint(entropy),
  pointKey: (at, purpose) => grants.pointKey(at, purpose),
  commitment: (at) => grants.commitment(at),
  register: (of, secret, at, entropy) => grants.register(of, secret, at, entropy),
  registered: (of, all) => holds(() => grants.checkRegistration(of, all)),
  wrap: (of, secret, from, members, entropy) => grants.wrap(of, secret, from, members, entropy),
  wrapped: (of, key, from, members, all) => holds(() => grants.checkWrap(of, key, from, members, all)),
  of: (wrap, place) => grants.of(wrap, place),
  open: (secret, sealed) => grants.open(secret, sealed),
  show: (of, secret, sealed, entropy) => grants.show(of, secret, sealed, entropy),
  shown: (of, key, sealed, at, proof) => holds(() => grants.checkShown(of, key, sealed, at, proof)),
  possession: (secret, context, entropy) => grants.possession(secret, context, entropy),
  possessed: (key, context, proof) => holds(() => grants.checkPossession(key, context, proof)),
  deal: (of, secret, threshold, keys, entropy) => guardians.deal(of, secret, threshold, keys, entropy),
  dealt: (of, deal, keys) => holds(() => guardians.check(of, deal, keys)),
  share: (of, deal, place, secret) => guardians.open(of, deal, place, secret),
  hand: (of, deal, share, to, entropy) => guardians.hand(of, deal, share, to, entropy),
  receive: (of, deal, handed, secret) => guardians.receive(of, deal, handed, secret),
  recover: (deal, shares) => guardians.recover(deal, shares),
};
const share = (all) => ({ place: all[0], value: BigInt(`0x${hex(all.slice(1))}`) });
const noble = {
  name: "noble-curves",
  derive: (master, purpose, context) => scalarBytes(derive(master, text(purpose), context)),
  publicKey: (secret) => encoded(times(G, secretKey(secret))),
  newPoint: (entropy) => encoded(other.contentPoint(entropy)),
  pointKey: (at, purpose) => other.contentKey(point(at), text(purpose)),
  commitment: (at) => other.commitment(point(at)),
  register: (of, secret, at, entropy) => other.register(of, secretKey(secret), point(at), entropy),
  registered: (of, all) => holds(() => other.checkRegistration(of, all)),
  wrap: (of, secret, from, members, entropy) => other.wrap(of, secretKey(secret), from, members.map(point), entropy),
  wrapped: (of, key, from, members, all) =>
    holds(() => other.checkWrap(of, point(key), from, members.map(point), all)),
  of: (wrap, place) => other.wrapped(wrap, place),
  open: (secret, sealed) => encoded(other.open(secretKey(secret), sealed)),
  show: (of, secret, sealed, entropy) => other.show(of, secretKey(secret), sealed, entropy),
  shown: (of, key, sealed, at, proof) => holds(() => other.checkShown(of, point(key), sealed, point(at), proof)),
  possession: (secret, context, entropy) => other.possession(secretKey(secret), context, entropy),
  possessed: (key, context, proof) => holds(() => other.checkPossession(point(key), context, proof)),
  deal: (of, secret, threshold, keys, entropy) =>
    deals.deal(of, secretKey(secret), threshold, keys.map(point), entropy),
  dealt: (of, deal, keys) => holds(() => deals.check(of, deals.parse(deal), keys.map(point))),
  share: (of, deal, place, secret) => deals.shareBytes(deals.open(of, deals.parse(deal), place, secretKey(secret))),
  hand: (of, deal, one, to, entropy) => deals.hand(of, deals.parse(deal), share(one), point(to), entropy),
  receive: (of, deal, handed, secret) =>
    deals.shareBytes(deals.receive(of, deals.parse(deal), handed, secretKey(secret))),
  recover: (deal, shares) => scalarBytes(deals.recover(deals.parse(deal), shares.map(share))),
};

const registeredOf = (vector) => ({
  chainId: vector.chain_id,
  cid: vector.cid,
  owner: vector.owner,
  commitment: bytes(vector.commitment),
});
const grantedOf = (vector) => ({
  chainId: vector.chain_id,
  version: vector.version,
  source: bytes(vector.source),
  cid: vector.cid,
  owner: vector.owner,
  grant: BigInt(vector.grant),
  nonce: bytes(vector.nonce),
  epoch: BigInt(vector.epoch),
  committee: bytes(vector.committee),
  terms: bytes(vector.terms),
});
const dealtOf = (vector) => ({ chainId: vector.chain_id, owner: vector.owner, version: BigInt(vector.version) });

/** The same bytes with one bit turned over in each part that begins at these places. */
function* flipped(all, parts) {
  for (const at of parts) {
    for (const [where, bit] of [
      [at, 0x20],
      [at + 31, 1],
    ]) {
      const changed = all.slice();
      changed[where] ^= bit;
      yield [where, changed];
    }
  }
}
/** The same statement with one of its fields changed. */
function* misstated(of) {
  for (const [name, value] of Object.entries(of)) {
    const changed =
      typeof value === "string" ? `${value}x` : value instanceof Uint8Array ? value.map((byte) => byte ^ 1) : undefined;
    yield [name, { ...of, [name]: changed ?? (typeof value === "bigint" ? value ^ 1n : value ^ 1) }];
  }
}
const steps = (from, count, size) => Array.from({ length: count }, (_, at) => from + at * size);

for (const one of [rust, noble]) {
  test(`${one.name}: keys and points`, () => {
    for (const { master, purpose, context, secret, public: key } of vectors.derivations) {
      assert.equal(hex(one.derive(bytes(master), purpose, bytes(context))), secret);
      assert.equal(hex(one.publicKey(bytes(secret))), key);
    }
    for (const vector of vectors.points) {
      const at = one.newPoint(bytes(vector.entropy));
      assert.equal(hex(at), vector.point);
      assert.equal(hex(one.pointKey(at, Buffer.from(vector.purpose, "hex").toString())), vector.key);
      assert.equal(hex(one.commitment(at)), vector.commitment);
    }
  });

  test(`${one.name}: registrations`, () => {
    for (const vector of vectors.registrations) {
      const of = registeredOf(vector);
      const all = one.register(of, bytes(vector.secret), bytes(vector.point), bytes(vector.entropy));
      assert.equal(hex(all), vector.registration);
      assert.ok(one.registered(of, all));
      assert.equal(hex(one.open(bytes(vector.secret), all.slice(48, 144))), vector.point);
      for (const [name, wrong] of misstated(of)) assert.ok(!one.registered(wrong, all), name);
      for (const [at, wrong] of flipped(all, [...steps(0, 3, 48), ...steps(144, 3, 32)]))
        assert.ok(!one.registered(of, wrong), `byte ${at}`);
      for (const wrong of [all.slice(1), all.slice(0, -1), new Uint8Array([...all, 0]), new Uint8Array()])
        assert.ok(!one.registered(of, wrong), `${wrong.length} bytes`);
    }
  });

  test(`${one.name}: wraps for one, three, 128, and passed on`, () => {
    assert.deepEqual(
      vectors.wraps.map((vector) => vector.members.length),
      [1, 3, 128, 2],
    );
    for (const vector of vectors.wraps) {
      const [of, secret, from] = [grantedOf(vector), bytes(vector.secret), bytes(vector.from)];
      const [key, members] = [one.publicKey(secret), vector.members.map((member) => one.publicKey(bytes(member)))];
      const all = one.wrap(of, secret, from, members, bytes(vector.entropy));
      assert.equal(hex(all), vector.wrap);
      assert.ok(one.wrapped(of, key, from, members, all));
      vector.members.forEach((member, place) => {
        if (place < 3) assert.equal(hex(one.open(bytes(member), one.of(all, place))), vector.point);
      });
    }
  });

  test(`${one.name}: a wrap holds for what it is about, and for nothing else`, () => {
    const vector = vectors.wraps[1];
    const [of, secret, from, all] = [grantedOf(vector), bytes(vector.secret), bytes(vector.from), bytes(vector.wrap)];
    const [key, members] = [one.publicKey(secret), vector.members.map((member) => one.publicKey(bytes(member)))];
    const check = (change) => {
      const its = { of, key, from, members, all, ...change };
      return one.wrapped(its.of, its.key, its.from, its.members, its.all);
    };
    assert.ok(check({}));
    for (const [name, wrong] of misstated(of)) assert.ok(!check({ of: wrong }), name);
    for (const [at, wrong] of flipped(all, [...steps(0, 4, 48), ...steps(192, 3, 32)]))
      assert.ok(!check({ all: wrong }), `byte ${at}`);
    for (const [at, wrong] of flipped(from, [0, 48])) assert.ok(!check({ from: wrong }), `byte ${at} of from`);
    assert.ok(!check({ key: members[0] }));
    assert.ok(!check({ members: [members[1], members[0], members[2]] }));
    assert.ok(!check({ members: members.slice(1) }));
    assert.ok(!check({ members: [...members, members[0]] }));
    assert.ok(!check({ members: [] }));
    for (const length of [0, 143, all.length - 1, all.length + 1, all.length + 48]) {
      const wrong = new Uint8Array(length);
      wrong.set(all.slice(0, length));
      assert.ok(!check({ all: wrong }), `${length} bytes`);
    }
    // Proof and points of two wraps do not mix.
    const on = bytes(vectors.wraps[0].wrap);
    const mixed = new Uint8Array([...all.slice(0, 192), ...on.slice(-96)]);
    assert.ok(!check({ all: mixed }));
  });

  test(`${one.name}: openings`, () => {
    for (const vector of vectors.openings) {
      const [of, secret, sealed] = [
        { chainId: vector.chain_id, job: BigInt(vector.job) },
        bytes(vector.secret),
        bytes(vector.ciphertext),
      ];
      const { point: at, proof } = one.show(of, secret, sealed, bytes(vector.entropy));
      assert.equal(hex(at), vector.point);
      assert.equal(hex(proof), vector.proof);
      const key = one.publicKey(secret);
      assert.ok(one.shown(of, key, sealed, at, proof));
      assert.ok(!one.shown({ ...of, job: of.job ^ 1n }, key, sealed, at, proof));
      assert.ok(!one.shown({ ...of, chainId: `${of.chainId}x` }, key, sealed, at, proof));
      assert.ok(!one.shown(of, key, sealed, key, proof));
      assert.ok(!one.shown(of, at, sealed, at, proof));
      assert.ok(!one.shown(of, key, new Uint8Array([...sealed.slice(48), ...sealed.slice(0, 48)]), at, proof));
      for (const [where, wrong] of flipped(proof, [0, 32]))
        assert.ok(!one.shown(of, key, sealed, at, wrong), `byte ${where}`);
    }
  });

  test(`${one.name}: possessions`, () => {
    for (const vector of vectors.possessions) {
      const [secret, context] = [bytes(vector.secret), bytes(vector.context)];
      const proof = one.possession(secret, context, bytes(vector.entropy));
      assert.equal(hex(proof), vector.proof);
      const key = one.publicKey(secret);
      assert.ok(one.possessed(key, context, proof));
      assert.ok(!one.possessed(key, new Uint8Array([...context, 0]), proof));
      assert.ok(!one.possessed(one.publicKey(bytes(vectors.wraps[0].members[0])), context, proof));
      for (const [at, wrong] of flipped(proof, [0, 32])) assert.ok(!one.possessed(key, context, wrong), `byte ${at}`);
    }
  });

  test(`${one.name}: deals`, () => {
    for (const vector of vectors.deals) {
      const [of, secret] = [dealtOf(vector), bytes(vector.secret)];
      const secrets = vector.guardians.map(bytes);
      const keys = secrets.map((secret) => one.publicKey(secret));
      const deal = one.deal(of, secret, vector.threshold, keys, bytes(vector.entropy));
      assert.equal(hex(deal), vector.deal);
      assert.ok(one.dealt(of, deal, keys));
      const [collector, count] = [bytes(vector.collector), keys.length];
      const to = one.publicKey(collector);
      const shares = secrets.map((secret, at) => one.share(of, deal, at + 1, secret));
      assert.deepEqual(shares.map(hex), vector.shares);
      shares.forEach((share, at) => {
        // As the vectors say: the entropy that begins with the place.
        const entropy = Uint8Array.from({ length: 64 }, (_, byte) => at + 1 + byte);
        const handed = one.hand(of, deal, share, to, entropy);
        assert.equal(hex(handed), vector.handed[at]);
        assert.equal(hex(one.receive(of, deal, handed, collector)), vector.shares[at]);
      });
      assert.equal(hex(one.recover(deal, shares.slice(count - vector.threshold).reverse())), vector.secret);
      assert.throws(() => one.recover(deal, shares.slice(count - vector.threshold + 1)));

      for (const [name, wrong] of misstated(of)) {
        assert.ok(!one.dealt(wrong, deal, keys), name);
        assert.throws(() => one.share(wrong, deal, 1, secrets[0]), undefined, name);
      }
      const points = 2 + 48 * (vector.threshold + 1);
      const parts = [...steps(2, vector.threshold + 1, 48), ...steps(points, count + 2, 32)];
      for (const [at, wrong] of flipped(deal, parts)) assert.ok(!one.dealt(of, wrong, keys), `byte ${at}`);
      assert.ok(!one.dealt(of, deal, [...keys, to]));
      // A guardian who hands in something else.
      const lie = shares.map((share) => share.slice());
      lie[0][32] ^= 1;
      assert.throws(() => one.recover(deal, lie));
      assert.throws(() => one.share(of, deal, count + 1, secrets[0]));
    }
  });

  test(`${one.name}: what is no point and no secret`, () => {
    const of = registeredOf(vectors.registrations[0]);
    const good = bytes(vectors.registrations[0].registration);
    const wrap = vectors.wraps[0];
    for (const { what, bytes: all } of vectors.refused.points) {
      const wrong = bytes(all);
      assert.throws(() => one.pointKey(wrong, "x"), undefined, what);
      assert.ok(!one.possessed(wrong, new Uint8Array(), new Uint8Array(64)), what);
      if (wrong.length !== 48) continue;
      for (const at of [0, 48, 96]) {
        const registration = good.slice();
        registration.set(wrong, at);
        assert.ok(!one.registered(of, registration), `${what} at ${at}`);
      }
      for (const at of [0, 48]) {
        const changed = bytes(wrap.wrap);
        changed.set(wrong, at);
        const [key, members] = [one.publicKey(bytes(wrap.secret)), [one.publicKey(bytes(wrap.members[0]))]];
        assert.ok(!one.wrapped(grantedOf(wrap), key, bytes(wrap.from), members, changed), `${what} at ${at}`);
        assert.ok(!one.wrapped(grantedOf(wrap), key, bytes(wrap.from), [wrong], bytes(wrap.wrap)), what);
        assert.throws(() => one.wrap(grantedOf(wrap), bytes(wrap.secret), bytes(wrap.from), [wrong], new Uint8Array(64)));
      }
    }
    for (const { what, bytes: all } of vectors.refused.secrets) {
      assert.throws(() => one.publicKey(bytes(all)), undefined, what);
      if (what === "zero") continue;
      for (const at of [144, 176, 208]) {
        const registration = good.slice();
        registration.set(bytes(all), at);
        assert.ok(!one.registered(of, registration), `${what} at ${at}`);
      }
    }
  });
}

test("what one makes the other takes, with new randomness each time", () => {
  const [patient, reader] = [grants.newSecret(), grants.newSecret()];
  const content = grants.newPoint();
  const of = { chainId: "c", cid: "bafy", owner: "aceso1p", commitment: grants.commitment(content) };
  const [one, two] = [grants.register(of, patient, content), grants.register(of, patient, content)];
  assert.notDeepEqual(one, two);
  assert.ok(noble.registered(of, one) && noble.registered(of, two));
  const { key, sealed } = grants.checkRegistration(of, one);
  assert.deepEqual(key, grants.publicKey(patient));
  const about = grantedOf(vectors.wraps[0]);
  const entropy = crypto.getRandomValues(new Uint8Array(64));
  const members = [grants.publicKey(reader)];
  const wrap = noble.wrap(about, patient, sealed, members, entropy);
  grants.checkWrap(about, key, sealed, members, wrap);
  assert.deepEqual(grants.open(reader, grants.of(wrap, 0)), content);
  assert.notDeepEqual(grants.wrap(about, patient, sealed, members), wrap);
});

test("refusals have a kind, and a sentence without a secret", () => {
  const secret = grants.newSecret();
  const kind = (call) => {
    try {
      call();
    } catch (error) {
      assert.ok(error instanceof GrantError, `${error}`);
      assert.ok(!error.message.includes(hex(secret).slice(0, 16)));
      return error.kind;
    }
    return "none";
  };
  const vector = vectors.wraps[0];
  const [of, from] = [grantedOf(vector), bytes(vector.from)];
  assert.equal(kind(() => grants.publicKey(new Uint8Array(32))), "zero");
  assert.equal(kind(() => grants.publicKey(new Uint8Array(32).fill(255))), "scalar");
  assert.equal(kind(() => grants.commitment(new Uint8Array(48))), "point");
  assert.equal(kind(() => grants.commitment(new Uint8Array(47))), "length");
  assert.equal(kind(() => grants.wrap(of, secret, from, [])), "members");
  assert.equal(kind(() => grants.checkRegistration(registeredOf(vectors.registrations[0]), new Uint8Array(240))), "point");
  const key = grants.publicKey(secret);
  assert.equal(kind(() => grants.checkPossession(key, "x", grants.possession(secret, "y"))), "proof");
  const about = { chainId: "c", owner: "o", version: 1n };
  assert.equal(kind(() => guardians.deal(about, secret, 2, [key])), "guardians");
  const deal = guardians.deal(about, secret, 1, [key]);
  assert.equal(kind(() => guardians.open(about, deal, 2, secret)), "share");
  assert.equal(kind(() => guardians.recover(deal, [])), "shares");
  assert.deepEqual(guardians.check(about, deal, [key]), { key, threshold: 1, guardians: 1 });
});

test("entropy that was handed in stays, and is asked for in full", () => {
  const entropy = new Uint8Array(64).fill(7);
  grants.newPoint(entropy);
  assert.ok(entropy.every((byte) => byte === 7));
  assert.throws(() => grants.newPoint(new Uint8Array(63)), /randomness has 64 bytes/);
});
