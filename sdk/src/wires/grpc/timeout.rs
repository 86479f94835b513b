//! `grpc-timeout`: how long the caller will wait, in at most eight digits and a unit.

use std::fmt;
use std::time::Duration;

/// The most digits that a timeout may have.
const DIGITS: usize = 8;

/// The most that eight digits say.
const MOST: u64 = 99_999_999;

/// The units from the smallest to the largest, and their nanoseconds.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// A timeout as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeoutText {
    bytes: [u8; DIGITS + 1],
    start: u8,
}

/// A timeout that is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TimeoutFault {
    Empty,

    /// It does not end with a unit.
    NoUnit,

    NoDigits,

    TooManyDigits {
        count: usize,
    },

    NotADigit {
        found: u8,
    },
}

impl TimeoutText {
    /// Writes a timeout in the smallest unit that has room for it, and rounds up: the peer waits
    /// less than a unit longer. A whole number of a larger unit is written in that one, so that ten
    /// seconds are `10S`. All above 99,999,999 hours are those.
    pub(crate) fn new(timeout: Duration) -> Self {
        let hour = UNITS[UNITS.len() - 1];
        let Ok(nanos) = u64::try_from(timeout.as_nanos()) else {
            return Self::of(timeout.as_secs().div_ceil(3_600).min(MOST), hour.0);
        };
        let fits = |(_, size): &(u8, u64)| nanos.div_ceil(*size) <= MOST;
        let mut at = UNITS.iter().position(fits).unwrap_or(UNITS.len() - 1);
        let (mut unit, size) = UNITS[at];
        let mut count = nanos.div_ceil(size);
        while count != 0 && at + 1 < UNITS.len() {
            let step = UNITS[at + 1].1 / UNITS[at].1;
            if count % step != 0 {
                break;
            }
            at += 1;
            (unit, count) = (UNITS[at].0, count / step);
        }
        Self::of(count, unit)
    }

    fn of(mut count: u64, unit: u8) -> Self {
        let mut bytes = [0; DIGITS + 1];
        bytes[DIGITS] = unit;
        let mut start = DIGITS;
        loop {
            start -= 1;
            bytes[start] = b'0' + (count % 10) as u8;
            count /= 10;
            if count == 0 || start == 0 {
                return Self { bytes, start: start as u8 };
            }
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..]
    }
}

impl fmt::Debug for TimeoutText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeoutText({})", self.as_bytes().escape_ascii())
    }
}

/// The time that a timeout says.
///
/// # Errors
///
/// When it is not one to eight digits and a unit.
pub(crate) fn read(text: &[u8]) -> Result<Duration, TimeoutFault> {
    let (&unit, digits) = text.split_last().ok_or(TimeoutFault::Empty)?;
    let find = |(name, _): &&(u8, u64)| *name == unit;
    let &(_, size) = UNITS.iter().find(find).ok_or(TimeoutFault::NoUnit)?;
    if digits.is_empty() {
        return Err(TimeoutFault::NoDigits);
    }
    if let Some(&found) = digits.iter().find(|digit| !digit.is_ascii_digit()) {
        return Err(TimeoutFault::NotADigit { found });
    }
    if digits.len() > DIGITS {
        return Err(TimeoutFault::TooManyDigits { count: digits.len() });
    }
    let count = digits.iter().fold(0, |count, digit| count * 10 + u64::from(digit - b'0'));
    // 99,999,999 hours are more nanoseconds than 64 bits have.
    Ok(match size {
        1_000_000_000.. => Duration::from_secs(count * (size / 1_000_000_000)),
        _ => Duration::from_nanos(count * size),
    })
}

impl fmt::Display for TimeoutFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("grpc-timeout ")?;
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::NoUnit => f.write_str("does not end with one of the units H, M, S, m, u and n"),
            Self::NoDigits => f.write_str("has no digits"),
            Self::TooManyDigits { count } => {
                write!(f, "has {count} digits, and may have {DIGITS}")
            }
            Self::NotADigit { found } => {
                write!(f, "has '{}' among its digits", found.escape_ascii())
            }
        }
    }
}

impl std::error::Error for TimeoutFault {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(timeout: Duration) -> String {
        String::from_utf8(TimeoutText::new(timeout).as_bytes().to_vec()).expect("ASCII")
    }

    #[test]
    fn a_timeout_is_written_in_the_unit_that_says_it_shortest() {
        let cases = [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(1), "1n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_001), "100001u"),
            (Duration::from_millis(1), "1m"),
            (Duration::from_millis(1_500), "1500m"),
            (Duration::from_secs(10), "10S"),
            (Duration::from_secs(60), "1M"),
            (Duration::from_secs(90), "90S"),
            (Duration::from_secs(7_200), "2H"),
            (Duration::from_nanos(9_999_999_001), "10S"),
            (Duration::from_nanos(99_999_999_001), "100S"),
            (Duration::from_secs(99_999_999), "99999999S"),
            (Duration::from_secs(100_000_000), "1666667M"),
            (Duration::from_secs(u64::MAX / 1_000_000_000 + 3_600), "5124097H"),
            (Duration::from_secs(99_999_999 * 3_600), "99999999H"),
            (Duration::from_secs(99_999_999 * 3_600 + 1), "99999999H"),
            (Duration::MAX, "99999999H"),
        ];
        for (timeout, text) in cases {
            assert_eq!(written(timeout), text, "{timeout:?}");
        }
        assert_eq!(format!("{:?}", TimeoutText::new(Duration::ZERO)), "TimeoutText(0n)");
    }

    #[test]
    fn every_unit_is_read() {
        let cases = [
            ("0n", Duration::ZERO),
            ("00000001n", Duration::from_nanos(1)),
            ("9999123u", Duration::from_micros(9_999_123)),
            ("1m", Duration::from_millis(1)),
            ("10S", Duration::from_secs(10)),
            ("3M", Duration::from_secs(180)),
            ("2H", Duration::from_secs(7_200)),
            ("99999999H", Duration::from_secs(359_999_996_400)),
            ("99999999M", Duration::from_secs(5_999_999_940)),
        ];
        for (text, timeout) in cases {
            assert_eq!(read(text.as_bytes()), Ok(timeout), "{text}");
        }
    }

    #[test]
    fn every_other_form_is_refused_with_a_text() {
        let cases = [
            ("", "is empty"),
            ("10", "does not end with one of the units H, M, S, m, u and n"),
            ("10s", "does not end with one of the units H, M, S, m, u and n"),
            ("10S ", "does not end with one of the units H, M, S, m, u and n"),
            ("S", "has no digits"),
            ("123456789S", "has 9 digits, and may have 8"),
            ("000000001n", "has 9 digits, and may have 8"),
            ("-1S", "has '-' among its digits"),
            ("+1S", "has '+' among its digits"),
            (" 1S", "has ' ' among its digits"),
            ("1.5S", "has '.' among its digits"),
            ("1\0S", "has '\\x00' among its digits"),
            ("1SS", "has 'S' among its digits"),
            ("\u{661}S", "has '\\xd9' among its digits"),
        ];
        for (text, why) in cases {
            let fault = read(text.as_bytes()).expect_err(text);
            assert_eq!(fault.to_string(), format!("grpc-timeout {why}"), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_timeout_comes_back_no_shorter_and_less_than_its_unit_longer(
            secs in 0..359_999_996_400_u64, shift in 0..39_u32, nanos in 0..1_000_000_000_u32,
        ) {
            let timeout = Duration::new(secs >> shift, nanos);
            let text = TimeoutText::new(timeout);
            let unit = text.as_bytes().last().copied();
            let (_, size) = UNITS.into_iter().find(|(name, _)| Some(*name) == unit).expect("a unit");
            let read = read(text.as_bytes()).expect("it was written here");
            prop_assert!(read >= timeout && read - timeout < Duration::from_nanos(size));
            prop_assert!(text.as_bytes().len() <= 9);
            prop_assert_eq!(TimeoutText::new(read), text);
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(timeout) = read(&text) {
                prop_assert_eq!(super::read(TimeoutText::new(timeout).as_bytes()), Ok(timeout));
            }
        }
    }
}
