//! Numbers in as many bytes as they need: seven bits in each, the lowest first, and in the highest bit whether more
//! follow (unsigned LEB128, as Parquet has it).

#[inline]
pub(crate) fn put(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The number at `at`, which is then behind it; `None`: the bytes end before, or it is too large.
#[inline]
pub(crate) fn take(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let (mut number, mut shift) = (0_usize, 0);
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}
