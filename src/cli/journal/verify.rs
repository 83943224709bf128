//! `flowlogd journal verify`

use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::cli::Failure;
use crate::cli::journal::PlaceArgs;
use crate::cli::journal::look;
use crate::journal::Inspection;

/// Check every CRC; exit 0 if all is sound, 1 with a line for each damage
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let place = args.place.find()?;
    verify(&place, &mut io::stdout().lock())
}

fn verify(place: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let mut seen = look(place, |_| ())?;
    let mut damage = seen.complaints();
    if !damage.is_empty() {
        // What a running flowlogd was writing is whole the next time.
        thread::sleep(SECOND_LOOK_AFTER);
        seen = look(place, |_| ())?;
        let again = seen.complaints();
        damage.retain(|line| again.contains(line));
    }
    print(out, &seen, &damage)?;
    match damage.len() {
        0 => Ok(()),
        1 => Err(Failure::failed("1 place is damaged")),
        places => Err(Failure::failed(format!("{places} places are damaged"))),
    }
}

fn print(out: &mut impl Write, seen: &Inspection, damage: &[String]) -> io::Result<()> {
    for line in damage {
        writeln!(out, "{line}")?;
    }
    for segment in &seen.segments {
        if let Some(torn) = &segment.torn {
            let octets = torn.end - torn.start;
            writeln!(
                out,
                "{}: ends in {octets} octets of a write that was not finished",
                segment.name
            )?;
        }
    }
    let frames: u64 = seen.segments.iter().map(|segment| segment.frames).sum();
    let rows: u64 = seen.segments.iter().map(|segment| segment.rows).sum();
    let segments = seen.segments.len();
    writeln!(
        out,
        "sound: {segments} segments, {frames} frames, {rows} rows"
    )
}

/// Longer than the daemon takes to write a file of progress.
const SECOND_LOOK_AFTER: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::journal::testing;

    /// What is printed, and the message of the failure.
    fn verified(dir: &Path) -> (String, Option<String>) {
        let mut out = Vec::new();
        let failure = verify(dir, &mut out).err();
        let message = failure.map(|failure| failure.message());
        (String::from_utf8(out).unwrap(), message)
    }

    const SEGMENT: &str = "0000000000000001.seg";

    #[test]
    fn a_sound_journal_is_said_to_be() {
        let dir = tempfile::tempdir().unwrap();
        testing::write(dir.path());
        let sound = "sound: 1 segments, 3 frames, 9 rows\n".to_owned();
        assert_eq!(verified(dir.path()), (sound, None));
    }

    #[test]
    fn every_damage_has_its_line() {
        let dir = tempfile::tempdir().unwrap();
        testing::write(dir.path());
        let segment = dir.path().join(SEGMENT);
        let mut bytes = fs::read(&segment).unwrap();
        let body = bytes
            .windows(4)
            .position(|octets| octets == b"body")
            .unwrap();
        bytes[body] ^= 1;
        bytes[0] ^= 1;
        fs::write(&segment, &bytes).unwrap();
        for name in ["snapshot", "progress.0"] {
            fs::write(dir.path().join(name), b"rubbish").unwrap();
        }
        let start = body - 44 - 2 * 36;
        let printed = format!(
            "1 of the two files of progress damaged\n\
             {SEGMENT}: header damaged\n\
             {SEGMENT}: 120 octets damaged from octet {start} on\n\
             snapshot: damaged\n\
             sound: 1 segments, 2 frames, 7 rows\n"
        );
        let message = Some("4 places are damaged".to_owned());
        assert_eq!(verified(dir.path()), (printed, message));
    }

    #[test]
    fn the_end_of_a_write_nobody_was_told_of_is_no_damage() {
        let dir = tempfile::tempdir().unwrap();
        testing::write(dir.path());
        let segment = dir.path().join(SEGMENT);
        let mut bytes = fs::read(&segment).unwrap();
        let whole = bytes.len();
        bytes.extend_from_slice(b"FLJ\xF1 and half a head");
        fs::write(&segment, &bytes).unwrap();
        let printed = format!(
            "{SEGMENT}: ends in 20 octets of a write that was not finished\n\
             sound: 1 segments, 3 frames, 9 rows\n"
        );
        assert_eq!(verified(dir.path()), (printed, None));
        // What was durable is missed.
        fs::write(&segment, &bytes[..whole - 1]).unwrap();
        let (_, message) = verified(dir.path());
        assert_eq!(message.as_deref(), Some("1 place is damaged"));
    }

    #[test]
    fn a_segment_that_is_needed_and_gone_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        testing::write(dir.path());
        fs::remove_file(dir.path().join(SEGMENT)).unwrap();
        let printed = format!(
            "{SEGMENT}: missing, and not all was delivered\n\
             sound: 0 segments, 0 frames, 0 rows\n"
        );
        let message = Some("1 place is damaged".to_owned());
        assert_eq!(verified(dir.path()), (printed, message));
    }
}
