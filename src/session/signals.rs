//! The signals that end a run: INT, TERM and HUP.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use signal_hook::consts::SIGXFSZ;

use crate::error::Error;
use crate::exec::Cancel;
use crate::runbook::ENDING_SIGNALS;

/// The handlers of INT, TERM and HUP.
///
/// The first signal ends the run in order. The second one kills the child processes without their grace
/// period. The third one has its default effect on this process.
pub struct Signals {
    /// Cancelled by the first signal.
    pub first: Arc<Cancel>,
    /// Cancelled by the second signal.
    pub second: Arc<Cancel>,
    number: Arc<AtomicUsize>,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn heed() -> Result<Self, Error> {
        let setup = |error: io::Error| Error::Setup { what: "signals", cause: error.to_string() };
        // With SIGXFSZ caught, a file at its size limit causes a write error, as a full disk does, instead of
        // ending the process.
        signal_hook::flag::register(SIGXFSZ, Arc::default()).map_err(setup)?;
        let no_more = Arc::new(AtomicBool::new(false));
        for signal in ENDING_SIGNALS {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&no_more)).map_err(setup)?;
        }
        let mut coming = signal_hook::iterator::Signals::new(ENDING_SIGNALS).map_err(setup)?;
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

    /// Returns the signal that ends the run; `None` if none has arrived.
    pub fn number(&self) -> Option<i32> {
        let number = self.first.is_cancelled().then(|| self.number.load(Ordering::Acquire));
        number.and_then(|number| i32::try_from(number).ok())
    }
}
