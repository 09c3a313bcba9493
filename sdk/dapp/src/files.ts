/** Sealed files in this browser: a node keeps for others only what a committee waits for, and its owner has it here. */
const STORE = "sealed";

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new Error("This browser's storage does not answer."));
  });

async function files(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  const opening = indexedDB.open("aceso", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const base = await done(opening);
  const transaction = base.transaction(STORE, mode);
  transaction.oncomplete = transaction.onabort = () => base.close();
  return transaction.objectStore(STORE);
}

export async function put(cid: string, file: Uint8Array): Promise<void> {
  await done((await files("readwrite")).put(file, cid));
}

export async function get(cid: string): Promise<Uint8Array | undefined> {
  return done<Uint8Array | undefined>((await files("readonly")).get(cid));
}

export async function drop(cid: string): Promise<void> {
  await done((await files("readwrite")).delete(cid));
}
