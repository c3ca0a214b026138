//! A real browser.

use std::path::PathBuf;

use crate::{Missing, place::executable};

/// Chromium as the machine has it. Playwright's own download is never used.
#[derive(Debug)]
pub struct Chromium;

impl Chromium {
    /// Returns the path of its binary.
    ///
    /// # Errors
    ///
    /// [`Missing::Absent`] when the machine has none.
    pub fn path() -> Result<PathBuf, Missing> {
        executable(&["chromium", "chromium-browser", "google-chrome"]).ok_or_else(|| Missing::Absent {
            component: "Chromium",
            reason: "no `chromium` on the PATH".to_owned(),
        })
    }
}
