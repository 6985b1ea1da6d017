use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::error::Error;
use crate::exec::Cancel;

/// INT, TERM and HUP. The first one ends the run in order; the second one ends its children without their grace; the
/// third one does to us what it always does.
pub struct Signals {
    /// Pulled by the first one.
    pub first: Arc<Cancel>,
    /// Pulled by the second one.
    pub second: Arc<Cancel>,
    number: Arc<AtomicUsize>,
}

impl Signals {
    /// Heeds them from now on.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn heed() -> Result<Self, Error> {
        let setup = |error: io::Error| Error::Setup { what: "signals", cause: error.to_string() };
        // A file that may grow no further is an error of the write, as on a full disk, and not the end of the process.
        signal_hook::flag::register(SIGXFSZ, Arc::default()).map_err(setup)?;
        let ours = [SIGINT, SIGTERM, SIGHUP];
        let no_more = Arc::new(AtomicBool::new(false));
        for signal in ours {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&no_more)).map_err(setup)?;
        }
        let mut coming = signal_hook::iterator::Signals::new(ours).map_err(setup)?;
        let signals = Self {
            first: Arc::new(Cancel::new().map_err(setup)?),
            second: Arc::new(Cancel::new().map_err(setup)?),
            number: Arc::default(),
        };
        let (first, second, number) =
            (Arc::clone(&signals.first), Arc::clone(&signals.second), Arc::clone(&signals.number));
        let heed = move || {
            let mut coming = coming.forever();
            let which = coming.next().and_then(|signal| usize::try_from(signal).ok());
            number.store(which.unwrap_or_default(), Ordering::Release);
            first.cancel();
            coming.next();
            no_more.store(true, Ordering::Release);
            second.cancel();
        };
        thread::Builder::new().name("signals".to_owned()).spawn(heed).map_err(setup)?;
        Ok(signals)
    }

    /// The one that ends the run, once it has come.
    pub fn number(&self) -> Option<i32> {
        let number = self.first.is_cancelled().then(|| self.number.load(Ordering::Acquire));
        number.and_then(|number| i32::try_from(number).ok())
    }
}
