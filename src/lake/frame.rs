//! A record on its way into a partition: bytes that can lie in memory or in a spill file.

/// One record with what sorts it and says where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Frame<'b> {
    /// Milliseconds since the epoch.
    pub time: i64,
    /// What makes two copies one: see [`super::record::Split::identity`].
    pub id: &'b str,
    pub object: &'b str,
    /// Index in the object.
    pub record: u64,
    pub json: &'b str,
}

/// Bytes before the texts: time, record, and the lengths of the three texts.
const HEAD: usize = 8 + 8 + 3 * 4;

impl<'b> Frame<'b> {
    /// Appends the frame to `out`. Texts beyond 4 GiB do not occur: objects are smaller.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.time.to_le_bytes());
        out.extend_from_slice(&self.record.to_le_bytes());
        let texts = [self.id, self.object, self.json];
        for text in texts {
            out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
        texts.iter().for_each(|text| out.extend_from_slice(text.as_bytes()));
    }

    fn read(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let wide = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
        let length = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?) as usize);
        let (id, rest) = rest.split_at_checked(length(16)?)?;
        let (object, rest) = rest.split_at_checked(length(20)?)?;
        let (json, rest) = rest.split_at_checked(length(24)?)?;
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let frame = Self { time: wide(0)?.cast_signed(), record: wide(8)?, id: text(id)?, object: text(object)?, json: text(json)? };
        Some((frame, rest))
    }
}

/// All frames in `bytes`; `None` if they are damaged.
pub(super) fn frames<'b>(mut bytes: &'b [u8], into: &mut Vec<Frame<'b>>) -> Option<()> {
    while !bytes.is_empty() {
        let (frame, rest) = Frame::read(bytes)?;
        into.push(frame);
        bytes = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_a_torn_end_is_noticed() {
        let all = [
            Frame { time: -5, id: "a", object: "k/ü", record: 3, json: "{}" },
            Frame { time: i64::MAX, id: "", object: "", record: u64::MAX, json: "{\"x\":1}" },
        ];
        let mut bytes = Vec::new();
        all.iter().for_each(|frame| frame.write(&mut bytes));
        let mut read = Vec::new();
        assert_eq!(frames(&bytes, &mut read), Some(()));
        assert_eq!(read, all);
        assert_eq!(frames(&bytes[..bytes.len() - 1], &mut Vec::new()), None);
    }
}
