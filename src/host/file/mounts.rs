//! A file that is a mount of its own: Kubernetes' `subPath`, `docker -v file:file`. Such
//! a mount shows the file that was there when it was made; one that is renamed into its
//! place outside never arrives (kubernetes#50345). Linux tells its mounts; elsewhere
//! nothing is known.

use super::super::std::fs;
use super::super::std::path::{Path, PathBuf};
use super::super::std::prelude::rust_2024::*;

const MOUNTS: &str = "/proc/self/mountinfo";

/// Returns the names of those of these files that are mounts of their own.
pub(super) fn among<'a>(files: impl Iterator<Item = (&'a Path, &'a str)>) -> Vec<&'a str> {
    let mounts = fs::read_to_string(MOUNTS).unwrap_or_default();
    let points = points(&mounts);
    let is_mount = |path: &Path| {
        let path = fs::canonicalize(path);
        path.is_ok_and(|path| points.contains(&path))
    };
    let mounted = files.filter(|(path, _)| is_mount(path));
    mounted.map(|(_, name)| name).collect()
}

/// Returns where the mounts are: the fifth field of each line of `mountinfo(5)`.
fn points(mounts: &str) -> Vec<PathBuf> {
    let point = |line: &str| Some(PathBuf::from(unescaped(line.split(' ').nth(4)?)));
    mounts.lines().filter_map(point).collect()
}

/// Undoes the octal escapes of spaces and backslashes: `\040`.
fn unescaped(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut text = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let code = part
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                text.push_str(&part[3..]);
            }
            None => {
                text.push('\\');
                text.push_str(part);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g07_mount_points_are_read_with_their_escapes() {
        let text = "36 35 98:0 /a /etc/app/config.yaml rw,noatime shared:1 - ext4 /dev/x rw\n\
                    37 35 98:0 / /with\\040blank\\134slash rw - tmpfs none rw\nodd\n";
        let expected = ["/etc/app/config.yaml", "/with blank\\slash"].map(PathBuf::from);
        assert_eq!(points(text), expected);
        assert_eq!(unescaped("a\\9\\"), "a\\9\\");
    }
}
