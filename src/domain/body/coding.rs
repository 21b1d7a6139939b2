//! Compressed bodies: `Content-Encoding: gzip` and `zstd`, with a bound on what comes out.

use std::io::Read;

/// What `Accept-Encoding` says of the codings that are taken (RFC 7694).
pub const TAKEN_CODINGS: &str = "gzip, zstd";

/// How many times larger than it arrived a body may become. Texts of JSON that repeat themselves become 30 times larger;
/// gzip can be made to give 1,000 times as much.
const RATIO_MAX: usize = 200;
/// Below this the ratio is not looked at: a short body that says one thing often is no attack.
const RATIO_FREE_BYTES: usize = 256 * 1024;
/// The largest window of zstd: what RFC 9659 allows over HTTP. A decoder must have as much memory at once.
const ZSTD_WINDOW_MAX: u64 = 8 * 1024 * 1024;
/// How many frames a body may have: each costs time of its own, however short it is.
const ZSTD_FRAMES_MAX: usize = 4096;
/// What a frame of zstd begins with (RFC 8878, 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A coding that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `zstd` (RFC 8878).
    Zstd,
}

/// A coding that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Content-Encoding {0:?} is not taken; send the body as it is, or as {TAKEN_CODINGS}, and only once")]
pub struct CodingError(pub String);

/// Why a compressed body cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// There is more in it than may be.
    #[error("unpacked, the body is larger than the {max} bytes that are taken")]
    TooLarge {
        /// The most bytes.
        max: usize,
    },
    /// It becomes too many times larger.
    #[error("unpacked, the body is more than {RATIO_MAX} times as large as it was sent; send it as it is")]
    Ratio,
    /// It is not what its coding says.
    #[error("the body is not {word} that can be read: {reason}")]
    Damaged {
        /// The coding.
        word: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Coding {
    /// Reads all values of `Content-Encoding`; `None` if the body is sent as it is.
    ///
    /// # Errors
    /// It names something else, or several codings.
    pub fn read<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Self>, CodingError> {
        let mut found = None;
        for value in values {
            let value = String::from_utf8_lossy(value);
            for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                let coding = match word.to_ascii_lowercase().as_str() {
                    "identity" => continue,
                    "gzip" | "x-gzip" => Coding::Gzip,
                    "zstd" => Coding::Zstd,
                    _ => return Err(CodingError(word.chars().take(64).collect())),
                };
                if found.replace(coding).is_some() {
                    return Err(CodingError(value.chars().take(64).collect()));
                }
            }
        }
        Ok(found)
    }

    fn word(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
        }
    }

    /// What is in the body, at most `max` bytes. Never has more in memory than that and one window.
    ///
    /// # Errors
    /// See [`UnpackError`].
    pub fn unpack(self, body: &[u8], max: usize) -> Result<Vec<u8>, UnpackError> {
        let by_ratio = body.len().saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES);
        let bound = max.min(by_ratio);
        let unpacked = match self {
            Coding::Gzip => self.read_within(flate2::read::MultiGzDecoder::new(body), bound),
            Coding::Zstd => self.unpack_zstd(body, bound),
        }?;
        match unpacked.len() {
            length if length <= bound => Ok(unpacked),
            _ if bound == max => Err(UnpackError::TooLarge { max }),
            _ => Err(UnpackError::Ratio),
        }
    }

    /// All frames of the body, one after the other (RFC 8878, 3.1): what is put together from parts that were packed each by
    /// itself is one body.
    fn unpack_zstd(self, body: &[u8], bound: usize) -> Result<Vec<u8>, UnpackError> {
        let (mut rest, mut unpacked, mut frames) = (body, Vec::new(), 0);
        let mut memory = ruzstd::decoding::FrameDecoder::new();
        loop {
            frames += 1;
            if frames > ZSTD_FRAMES_MAX {
                return Err(self.damaged(format!("it has more than {ZSTD_FRAMES_MAX} frames")));
            }
            match skippable(rest) {
                Some(after) => rest = after.ok_or_else(|| self.damaged("a frame ends before its length"))?,
                None => {
                    self.check_window(rest, frames)?;
                    let frame = ruzstd::decoding::StreamingDecoder::new_with_decoder(&mut rest, memory);
                    let mut frame = frame.map_err(|error| self.damaged(error))?;
                    unpacked.extend(self.read_within(&mut frame, bound - unpacked.len())?);
                    memory = frame.into_frame_decoder();
                }
            }
            if rest.is_empty() || unpacked.len() > bound {
                return Ok(unpacked);
            }
        }
    }

    fn check_window(self, frame: &[u8], number: usize) -> Result<(), UnpackError> {
        match zstd_window(frame) {
            None if number > 1 => Err(self.damaged("something follows its frames that is none")),
            None => Err(self.damaged("it does not begin with a frame")),
            Some(window) if window > ZSTD_WINDOW_MAX => {
                Err(self
                    .damaged(format!("its window has {window} bytes, at most {ZSTD_WINDOW_MAX} are taken")))
            }
            Some(_) => Ok(()),
        }
    }

    /// Reads to the end, or one byte further than the bound.
    fn read_within(self, source: impl Read, bound: usize) -> Result<Vec<u8>, UnpackError> {
        let mut unpacked = Vec::new();
        let limit = u64::try_from(bound).unwrap_or(u64::MAX).saturating_add(1);
        source.take(limit).read_to_end(&mut unpacked).map_err(|error| self.damaged(error))?;
        Ok(unpacked)
    }

    fn damaged(self, reason: impl std::fmt::Display) -> UnpackError {
        UnpackError::Damaged { word: self.word(), reason: reason.to_string() }
    }
}

/// What follows a frame that holds nothing for us (RFC 8878, 3.1.2); none if it is another, `Some(None)` if it is cut off.
fn skippable(body: &[u8]) -> Option<Option<&[u8]>> {
    let [kind, magic @ ..] = body.first_chunk::<4>()?;
    if kind & 0xf0 != 0x50 || magic != &[0x2a, 0x4d, 0x18] {
        return None;
    }
    let rest = &body[4..];
    let length = rest.first_chunk().map(|length| u32::from_le_bytes(*length));
    Some(length.and_then(|length| rest[4..].get(usize::try_from(length).ok()?..)))
}

/// How much memory a frame asks for (RFC 8878, 3.1.1.1); `None` if there is no whole header.
fn zstd_window(body: &[u8]) -> Option<u64> {
    let header = body.strip_prefix(&ZSTD_MAGIC)?;
    let (descriptor, rest) = header.split_first()?;
    let is_single_segment = descriptor & 0b0010_0000 != 0;
    if !is_single_segment {
        let window = u64::from(*rest.first()?);
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + (base / 8) * (window & 0b111));
    }
    // The whole content is one segment, and its size is what must fit in memory.
    let dictionary_bytes = [0, 1, 2, 4][usize::from(descriptor & 0b11)];
    let (size_bytes, offset) = [(1, 0), (2, 256), (4, 0), (8, 0)][usize::from(descriptor >> 6)];
    let size = rest.get(dictionary_bytes..dictionary_bytes + size_bytes)?;
    Some(size.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)).saturating_add(offset))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(body: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn packed(coding: Coding, body: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Gzip => gzip(body),
            Coding::Zstd => zstd(body),
        }
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let body = "{\"a\": \"snow, snow and more snow\"}".repeat(50);
        for coding in [Coding::Gzip, Coding::Zstd] {
            for body in ["", "{}", &body] {
                let sent = packed(coding, body.as_bytes());
                assert_eq!(coding.unpack(&sent, 10_000).as_deref(), Ok(body.as_bytes()), "{coding:?}");
            }
        }
        for coding in [Coding::Gzip, Coding::Zstd] {
            let two = [packed(coding, b"{\"a\":"), packed(coding, b""), packed(coding, b"1}")].concat();
            assert_eq!(coding.unpack(&two, 100).as_deref(), Ok(&b"{\"a\":1}"[..]), "{coding:?}");
        }
    }

    #[test]
    fn frames_of_zstd_that_hold_nothing_are_passed_over() {
        let nothing = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"pad"].concat();
        let one = zstd(b"{}");
        for sent in [
            [&nothing[..], &one].concat(),
            [&one[..], &nothing].concat(),
            [&nothing[..], &one, &nothing].concat(),
        ] {
            assert_eq!(Coding::Zstd.unpack(&sent, 100).as_deref(), Ok(&b"{}"[..]));
        }
        for length in 0..nothing.len() {
            let sent = [&one[..], &nothing[..length]].concat();
            let is_damaged = matches!(Coding::Zstd.unpack(&sent, 100), Err(UnpackError::Damaged { .. }));
            assert_eq!(is_damaged, length > 0, "{length}");
        }
    }

    #[test]
    fn all_frames_of_zstd_together_are_bounded() {
        let frames = |count: usize, body: &[u8]| zstd(body).repeat(count);
        let noise: Vec<u8> = (0..1_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        assert_eq!(Coding::Zstd.unpack(&frames(10, &noise), 10_000).unwrap().len(), 10_000);
        let more = Coding::Zstd.unpack(&frames(10, &noise), 9_999);
        assert_eq!(more, Err(UnpackError::TooLarge { max: 9_999 }));
        let bomb = Coding::Zstd.unpack(&frames(100, &vec![b' '; 1 << 20]), 128 << 20);
        assert_eq!(bomb, Err(UnpackError::Ratio));
        let many = Coding::Zstd.unpack(&frames(ZSTD_FRAMES_MAX + 1, b""), 100).unwrap_err();
        assert!(many.to_string().contains("more than 4096 frames"), "{many}");
    }

    #[test]
    fn what_comes_out_is_bounded_in_bytes_and_by_ratio() {
        let noise: Vec<u8> = (0..5_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        for coding in [Coding::Gzip, Coding::Zstd] {
            let sent = packed(coding, &noise);
            assert!(coding.unpack(&sent, noise.len()).is_ok());
            let refused = coding.unpack(&sent, noise.len() - 1);
            assert_eq!(refused, Err(UnpackError::TooLarge { max: noise.len() - 1 }));
            let bomb = packed(coding, &vec![b' '; 20 << 20]);
            assert_eq!(coding.unpack(&bomb, 64 << 20), Err(UnpackError::Ratio), "{coding:?}: {}", bomb.len());
        }
        let short = gzip(&vec![b' '; 200 * 1024]);
        assert!(short.len() * RATIO_MAX < 200 * 1024 && Coding::Gzip.unpack(&short, 1 << 20).is_ok());
    }

    #[test]
    fn what_is_damaged_or_asks_for_too_much_memory_is_refused() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let sent = packed(coding, &b"{\"a\": 1}".repeat(9));
            for wrong in [&sent[..sent.len() - 5], &sent[1..], b"{}", b"", &[&sent[..], b"x"].concat()] {
                assert!(
                    matches!(coding.unpack(wrong, 1_000), Err(UnpackError::Damaged { .. })),
                    "{coding:?} {wrong:?}"
                );
            }
        }
        let windows = [(0b0100_0000, Some(1 << 18)), (0b1000_1000, Some(1 << 27))];
        for (window, expected) in windows {
            assert_eq!(zstd_window(&[0x28, 0xb5, 0x2f, 0xfd, 0, window]), expected);
        }
        assert_eq!(zstd_window(&[0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000, 0, 0, 0, 1]), Some(1 << 24));
        let large = Coding::Zstd.unpack(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0b1000_1000, 1, 0, 0], 1_000);
        assert!(large.unwrap_err().to_string().contains("its window has 134217728 bytes"));
    }

    #[test]
    fn a_coding_is_named_once() {
        let read = |values: &[&str]| Coding::read(values.iter().map(|value| value.as_bytes()));
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["identity", ""]), Ok(None));
        assert_eq!(read(&["GZip"]), Ok(Some(Coding::Gzip)));
        assert_eq!(read(&["identity, zstd"]), Ok(Some(Coding::Zstd)));
        for refused in [&["br"][..], &["gzip, gzip"], &["gzip", "zstd"], &["deflate"]] {
            assert!(read(refused).is_err(), "{refused:?}");
        }
        assert!(read(&["br"]).unwrap_err().to_string().contains("gzip, zstd"));
    }
}
