//! The end of a run: seal, signature and verdict.
//!
//! A run ends here whatever happened before. If the evidence can't be completed, its manifest keeps the
//! verdict `incomplete`.

use super::Equipment;
use super::driver::{Driver, World as _};
use super::real_world::RealWorld;
use crate::error::Error;
use crate::events::Scope;
use crate::evidence::{self, SIGNATURE};
use crate::report::{self, EvidenceLocation};
use crate::{signature, verdict};

/// Ends a run, whatever its result, and returns the exit code.
pub(super) fn end(mut driver: Driver<RealWorld<'_, '_>>, result: Result<(), Error>) -> u8 {
    let equipment = driver.world.equipment;
    let scope = equipment.job.scope;
    driver.world.children.cancel_all();
    let place = result.and_then(|()| seal(&mut driver)).unwrap_or_else(|error| {
        print_failure(equipment, &error.to_string());
        driver.fail(&error);
        // The disk may accept no more data; the manifest that is on it has the verdict `incomplete`.
        seal(&mut driver).unwrap_or(None)
    });
    let unsigned = place.as_ref().and_then(|_| sign(equipment).err());
    let judgement = verdict::judge(driver.state());
    report::closing(driver.state(), &judgement, scope, place.as_ref());
    if scope != Scope::Whole {
        // This is the run's own temporary directory, and it contains nothing else.
        let _ = fs_err::remove_dir_all(equipment.session.tree.root());
    }
    match unsigned {
        Some(error) => {
            print_failure(equipment, &format!("the evidence is complete but not signed: {error}"));
            4
        }
        None => judgement.exit_code,
    }
}

/// Prints a failure without the secrets that a message of the system may quote.
fn print_failure(equipment: &Equipment, error: &str) {
    report::fail(&equipment.session.tree.patterns().redact_str(error));
}

/// Writes the final manifest, the attestation, and the checksums of the other files.
fn seal(driver: &mut Driver<RealWorld<'_, '_>>) -> Result<Option<EvidenceLocation>, Error> {
    let tree = &driver.world.equipment.session.tree;
    if driver.world.equipment.job.scope != Scope::Whole {
        return Ok(None);
    }
    let (world, run) = (&mut driver.world, driver.procedure.state());
    world.save(run)?;
    let seal = evidence::seal(tree, run)?;
    Ok(Some(EvidenceLocation { evidence: tree.root().to_string(), seal: Some(seal) }))
}

fn sign(equipment: &Equipment) -> Result<(), Error> {
    let Some(key) = &equipment.job.options.sign_with else { return Ok(()) };
    let tree = &equipment.session.tree;
    let signature =
        signature::sign(&equipment.session.programs, tree.root(), key, &equipment.session.signals.second)?;
    Ok(tree.replace(SIGNATURE, &signature)?)
}
