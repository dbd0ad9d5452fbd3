//! Errors that say that a way of writing isn't to be had here, as opposed to having failed.
//!
//! Containers often forbid io_uring, and not every file system has direct I/O. What is refused can
//! be tried in another way; what has failed must not.

use rustix::io::Errno;
use std::fmt;
use std::io;

/// Whether an error of [`crate::Vfs::open_log`], or of the first write to the file that it opened,
/// says that this way of writing isn't to be had here. Nothing was written then, and another mode
/// may work.
pub fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// Whether an error of [`crate::Vfs::hard_link`] says that this file can't have a second name
/// there: the folder is on another file system, the file system has no links or forbids them, or
/// the file has as many as it may. A copy may work.
pub fn is_link_refusal(error: &io::Error) -> bool {
    let refusals =
        [Errno::XDEV, Errno::MLINK, Errno::PERM, Errno::ACCESS, Errno::OPNOTSUPP, Errno::NOSYS];
    Errno::from_io_error(error).is_some_and(|errno| refusals.contains(&errno))
}

/// What was refused, by the system's own words where it had some.
#[derive(Debug)]
struct Refusal {
    what: &'static str,
    source: io::Error,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// An error that [`is_refusal`] knows, whatever kind its source is of.
pub(crate) fn refused(what: &'static str, source: io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, Refusal { what, source })
}

/// Tells an error of making something that the system doesn't give to everybody: forbidden by a
/// filter of system calls or a setting, not built in, or above a limit on locked memory. That is a
/// refusal; any other error stays what it is.
pub(crate) fn forbidden(what: &'static str, error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::PERM | Errno::ACCESS | Errno::NOSYS | Errno::NOMEM | Errno::INVAL) => {
            refused(what, error)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_linked_is_told_from_what_failed() {
        for refusal in [Errno::XDEV, Errno::MLINK, Errno::PERM, Errno::OPNOTSUPP] {
            assert!(is_link_refusal(&refusal.into()), "{refusal}");
        }
        for failure in [Errno::IO, Errno::NOSPC, Errno::NOENT, Errno::EXIST, Errno::DQUOT] {
            assert!(!is_link_refusal(&failure.into()), "{failure}");
        }
    }

    #[test]
    fn what_was_refused_is_told_from_what_failed() {
        // What file systems say that have no direct I/O.
        assert!(is_refusal(&Errno::INVAL.into()));
        assert!(is_refusal(&Errno::OPNOTSUPP.into()));
        for failure in [Errno::IO, Errno::NOSPC, Errno::NOENT, Errno::PERM, Errno::NOMEM] {
            assert!(!is_refusal(&failure.into()), "{failure}");
        }
        assert!(!is_refusal(&forbidden("io_uring", Errno::MFILE.into())));
        let wrapped = forbidden("io_uring", Errno::PERM.into());
        assert!(is_refusal(&wrapped));
        assert_eq!(wrapped.to_string(), "io_uring: Operation not permitted (os error 1)");
    }
}
