//! Frames of the wire protocol, in and out. Source: the driver specifications, `message/OP_MSG` and `OP_QUERY`.

use bson::{RawDocument, RawDocumentBuf};

use super::super::commands::Command;

/// `maxMessageSizeBytes`.
pub(in crate::sandbox) const MAX_FRAME: usize = 48_000_000;
/// Every frame begins with its length, its number, the number it answers, and its operation.
pub(in crate::sandbox) const HEADER: usize = 16;

const OP_REPLY: i32 = 1;
const OP_QUERY: i32 = 2004;
/// Refused as unknown: a client may only compress with what the server's `hello` offered, and that offers nothing. Its clients are on
/// the same machine, where compressing costs more than it saves.
const OP_COMPRESSED: i32 = 2012;
const OP_MSG: i32 = 2013;

const CHECKSUM_PRESENT: u32 = 1;
const MORE_TO_COME: u32 = 1 << 1;
/// Flags a receiver must know or refuse.
const REQUIRED: u32 = 0xffff;

/// Why a frame cannot be understood. The connection it came over is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::sandbox) enum FrameError {
    #[error("a frame of {0} bytes: it must have between {HEADER} and {MAX_FRAME}")]
    Length(i32),
    #[error("the frame ends too early")]
    Short,
    #[error("unknown operation {0}")]
    Operation(i32),
    #[error("unknown required flags {0:#x}")]
    Flags(u32),
    #[error("unknown section kind {0}")]
    Section(u8),
    #[error("OP_MSG must have exactly one body")]
    Bodies,
    #[error("not a BSON document")]
    Bson,
    #[error("OP_QUERY is only answered for hello and isMaster, on `$cmd`")]
    Legacy,
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) struct Request {
    pub(in crate::sandbox) id: i32,
    pub(in crate::sandbox) command: Command,
    /// Whether the client waits for an answer.
    pub(in crate::sandbox) answer: bool,
    /// Whether it came as an `OP_QUERY`, and is answered as such.
    pub(in crate::sandbox) legacy: bool,
}

/// The length of the frame a header begins, the header included.
pub(in crate::sandbox) fn length(header: [u8; HEADER], most: usize) -> Result<usize, FrameError> {
    let length = i32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    usize::try_from(length).ok().filter(|n| (HEADER..=most).contains(n)).ok_or(FrameError::Length(length))
}

/// Whether this is no header but the beginning of a TLS handshake (RFC 8446, 5.1). As a header it would announce more than
/// 66,000 bytes, and an operation at random.
pub(in crate::sandbox) fn is_tls(header: &[u8; HEADER]) -> bool {
    let [0x16, 3, 0..=4, _, _, 1, _, _, _, _, _, _, operation @ ..] = header else { return false };
    ![OP_MSG, OP_QUERY, OP_COMPRESSED].contains(&i32::from_le_bytes(*operation))
}

/// Understands a whole frame.
pub(in crate::sandbox) fn decode(frame: &[u8]) -> Result<Request, FrameError> {
    let mut rest = Rest(frame);
    let _length = rest.i32()?;
    let id = rest.i32()?;
    let _answers = rest.i32()?;
    match rest.i32()? {
        OP_MSG => message(id, rest),
        OP_QUERY => query(id, rest),
        other => Err(FrameError::Operation(other)),
    }
}

fn message(id: i32, mut rest: Rest<'_>) -> Result<Request, FrameError> {
    let flags = u32::from_le_bytes(rest.take::<4>()?);
    let unknown = flags & REQUIRED & !(CHECKSUM_PRESENT | MORE_TO_COME);
    if unknown != 0 {
        return Err(FrameError::Flags(unknown));
    }
    if flags & CHECKSUM_PRESENT != 0 {
        // TCP has one of its own; the sandbox is on the same machine.
        let end = rest.0.len().checked_sub(4).ok_or(FrameError::Short)?;
        rest = Rest(rest.0.get(..end).ok_or(FrameError::Short)?);
    }
    let (mut body, mut sequences) = (None, Vec::new());
    while !rest.0.is_empty() {
        let [kind] = rest.take::<1>()?;
        match kind {
            0 if body.is_some() => return Err(FrameError::Bodies),
            0 => body = Some(rest.document()?),
            1 => sequences.push(rest.sequence()?),
            other => return Err(FrameError::Section(other)),
        }
    }
    let command = Command { body: body.ok_or(FrameError::Bodies)?, sequences };
    Ok(Request { id, command, answer: flags & MORE_TO_COME == 0, legacy: false })
}

fn query(id: i32, mut rest: Rest<'_>) -> Result<Request, FrameError> {
    let _flags = rest.i32()?;
    let collection = rest.text()?;
    let _skip_and_limit = (rest.i32()?, rest.i32()?);
    let command = Command::new(rest.document()?);
    if !collection.ends_with(".$cmd") || !matches!(command.name(), "hello" | "isMaster" | "ismaster") {
        return Err(FrameError::Legacy);
    }
    Ok(Request { id, command, answer: true, legacy: true })
}

/// The answer to `request`.
pub(in crate::sandbox) fn encode(request: &Request, id: i32, body: &RawDocument) -> Vec<u8> {
    let head: &[u8] = if request.legacy {
        // Flags (the server can await), cursor, skipped, number of documents.
        &[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    } else {
        // Flags, and the kind of the one section.
        &[0, 0, 0, 0, 0]
    };
    let operation = if request.legacy { OP_REPLY } else { OP_MSG };
    let length = HEADER + head.len() + body.as_bytes().len();
    let mut frame = Vec::with_capacity(length);
    for field in [i32::try_from(length).unwrap_or(i32::MAX), id, request.id, operation] {
        frame.extend(field.to_le_bytes());
    }
    frame.extend(head);
    frame.extend(body.as_bytes());
    frame
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn split(&mut self, at: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.0.split_at_checked(at).ok_or(FrameError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.split(N)?.try_into().map_err(|_| FrameError::Short)
    }

    fn i32(&mut self) -> Result<i32, FrameError> {
        self.take().map(i32::from_le_bytes)
    }

    /// What begins with its own length.
    fn sized(&mut self) -> Result<&'a [u8], FrameError> {
        let length = i32::from_le_bytes(self.0.first_chunk().copied().ok_or(FrameError::Short)?);
        self.split(usize::try_from(length).map_err(|_| FrameError::Length(length))?)
    }

    fn document(&mut self) -> Result<RawDocumentBuf, FrameError> {
        let bytes = self.sized()?;
        RawDocumentBuf::from_bytes(bytes.to_vec()).map_err(|_| FrameError::Bson)
    }

    fn text(&mut self) -> Result<&'a str, FrameError> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(FrameError::Short)?;
        let text = self.split(end)?;
        self.split(1)?;
        std::str::from_utf8(text).map_err(|_| FrameError::Bson)
    }

    fn sequence(&mut self) -> Result<(String, Vec<RawDocumentBuf>), FrameError> {
        let mut section = Self(self.sized()?);
        section.take::<4>()?;
        let name = section.text()?.to_owned();
        let mut documents = Vec::new();
        while !section.0.is_empty() {
            documents.push(section.document()?);
        }
        Ok((name, documents))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use proptest::prelude::*;

    use super::*;

    fn op_msg(flags: u32, sections: &[&[u8]], tail: &[u8]) -> Vec<u8> {
        let content: Vec<u8> = [&flags.to_le_bytes()[..], &sections.concat(), tail].concat();
        let length = i32::try_from(HEADER + content.len()).unwrap();
        [&length.to_le_bytes()[..], &7_i32.to_le_bytes(), &0_i32.to_le_bytes(), &OP_MSG.to_le_bytes(), &content].concat()
    }

    fn kind_0(document: &RawDocumentBuf) -> Vec<u8> {
        [&[0][..], document.as_bytes()].concat()
    }

    fn kind_1(name: &str, documents: &[RawDocumentBuf]) -> Vec<u8> {
        let content: Vec<u8> = documents.iter().flat_map(|d| d.as_bytes().to_vec()).collect();
        let length = i32::try_from(4 + name.len() + 1 + content.len()).unwrap();
        [&[1][..], &length.to_le_bytes(), name.as_bytes(), &[0], &content].concat()
    }

    #[test]
    fn documents_beside_the_body_are_read_and_a_checksum_is_tolerated() {
        let (body, document) = (rawdoc! { "insert": "c" }, rawdoc! { "a": 1 });
        let sections = [kind_1("documents", &[document.clone(), document.clone()]), kind_0(&body)];
        let frame = op_msg(CHECKSUM_PRESENT, &[&sections[0], &sections[1]], &[1, 2, 3, 4]);
        let request = decode(&frame).unwrap();
        assert!(request.answer);
        assert_eq!((request.id, request.command.body), (7, body));
        assert_eq!(request.command.sequences, [("documents".to_owned(), vec![document.clone(), document])]);
    }

    #[test]
    fn a_tls_handshake_is_told_from_a_frame_of_that_length() {
        let mut header = *b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x5d\xa1\xb2\xc3\xd4";
        assert!(is_tls(&header));
        header[12..].copy_from_slice(&OP_MSG.to_le_bytes());
        assert!(!is_tls(&header), "a frame of 0x2010316 bytes");
        assert!(!is_tls(&[0x16; HEADER]));
    }

    #[test]
    fn what_is_not_a_frame_is_named() {
        let ping = rawdoc! { "ping": 1 };
        assert_eq!(decode(&op_msg(4, &[&kind_0(&ping)], &[])), Err(FrameError::Flags(4)));
        assert_eq!(decode(&op_msg(0, &[], &[])), Err(FrameError::Bodies));
        assert_eq!(decode(&op_msg(0, &[&kind_0(&ping), &kind_0(&ping)], &[])), Err(FrameError::Bodies));
        assert_eq!(decode(&op_msg(0, &[&[9]], &[])), Err(FrameError::Section(9)));
        assert_eq!(decode(&[1, 2]), Err(FrameError::Short));
        let mut huge = [0; HEADER];
        huge[..4].copy_from_slice(&i32::MAX.to_le_bytes());
        assert_eq!(length(huge, MAX_FRAME), Err(FrameError::Length(i32::MAX)));
        assert_eq!(length([0xff; HEADER], MAX_FRAME), Err(FrameError::Length(-1)));
    }

    proptest! {
        #[test]
        fn the_decoder_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn the_decoder_never_panics_on_a_damaged_frame(at in 0_usize..90, byte in any::<u8>(), cut in 0_usize..90) {
            let sections = [kind_0(&rawdoc! { "insert": "c", "$db": "d" }), kind_1("documents", &[rawdoc! { "a": "text" }])];
            let mut frame = op_msg(0, &[&sections[0], &sections[1]], &[]);
            if let Some(damaged) = frame.get_mut(at) {
                *damaged = byte;
            }
            frame.truncate(cut.max(20));
            if let Ok(request) = decode(&frame) {
                let _ = crate::sandbox::value::check_document(&request.command.body);
            }
        }
    }
}
