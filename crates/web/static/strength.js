// A hint at how hard a password is to guess, by what it is made of. It is a hint: it knows no dictionary, so it counts
// repeated characters and runs once, and prefers length to odd characters.

export const CHARS_MIN = 10;

/** Bits, roughly: those of the alphabet for each character that isn't foreseen by the one before. */
function bits(password, name) {
  const chars = [...password.toLowerCase()];
  const own = name.length > 2 && password.toLowerCase().includes(name.toLowerCase()) ? name.length : 0;
  let alphabet = 0;
  if (/[a-z]/.test(password)) alphabet += 26;
  if (/[A-Z]/.test(password)) alphabet += 26;
  if (/[0-9]/.test(password)) alphabet += 10;
  if (/[^a-zA-Z0-9]/.test(password)) alphabet += 20;
  const codes = chars.map((char) => char.codePointAt(0));
  const fresh = codes.filter((code, at) => at === 0 || Math.abs(code - codes[at - 1]) > 1).length;
  const different = new Set(chars).size;
  const counted = Math.max(0, Math.min(fresh, different * 2) - own);
  // People choose words: half of what the alphabet gives.
  return (counted * Math.log2(Math.max(2, alphabet))) / 2;
}

/** 0 (too short) to 4 (strong). */
export function strength(password, name) {
  if ([...password].length < CHARS_MIN) return 0;
  const found = bits(password, name);
  return found < 24 ? 1 : found < 32 ? 2 : found < 44 ? 3 : 4;
}
