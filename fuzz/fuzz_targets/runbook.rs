//! A runbook's document, as somebody else's evidence may have it: what is read of it runs nothing that it must not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::command::Effect;
use staging_dry_run::runbook::{Document, Runbook, StepId};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(runbook) = Runbook::read(&Document::new(text)) else { return };
    for step in &runbook.steps {
        for with_key in [false, true] {
            assert_eq!(step.line(with_key).effect(), Ok(step.effect), "{}", step.id);
        }
        let may_change = matches!(step.id, StepId::Apply(_));
        assert_eq!(step.effect == Effect::Changes, may_change, "{}", step.id);
        assert_eq!(step.id.to_string().parse(), Ok(step.id.clone()));
    }
});
