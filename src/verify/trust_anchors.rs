//! Verifies the checksums against data from outside the directory: the seal in the run's log, and a
//! signature.

use super::{CannotRead, Evidence, Kind, Point, Signers, TrustAnchors};
use crate::evidence::{SIGNATURE, SUMS};
use crate::signature::{self, SignatureError};

pub(super) fn checks(evidence: &Evidence, anchors: &TrustAnchors<'_>) -> Result<Vec<Point>, CannotRead> {
    let signature = signature(evidence, anchors.signers.as_ref())?;
    Ok(seal(evidence, anchors.seal)?.into_iter().chain(signature).collect())
}

fn seal(evidence: &Evidence, seal: Option<&str>) -> Result<Option<Point>, CannotRead> {
    let Some(is) = evidence.seal()? else {
        let found = || vec![format!("{SUMS} is missing")];
        return Ok(seal.map(|_| Point::new(Kind::Integrity, "the seal", found())));
    };
    Ok(Some(match seal {
        Some(seal) if seal.eq_ignore_ascii_case(&is) => {
            Point::new(Kind::Integrity, format!("the seal is {is}"), Vec::new())
        }
        Some(seal) => {
            let found = vec![format!("{SUMS} has the hash {is}, not {seal}")];
            Point::new(Kind::Integrity, "the seal", found)
        }
        None => {
            let what = format!("the seal is {is}: compare it with the run's log, or give it with --seal");
            Point::open(Kind::Integrity, what)
        }
    }))
}

/// The first and the last line of a signature (`PROTOCOL.sshsig` of OpenSSH).
const ARMOR: [&str; 2] = ["-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"];

fn signature(evidence: &Evidence, signers: Option<&Signers<'_>>) -> Result<Option<Point>, CannotRead> {
    let run = &evidence.run;
    let does_not = |found: String| Some(Point::new(Kind::Integrity, "the signature", vec![found]));
    let to_be_signed = run.began.as_ref().is_some_and(|(_, began)| began.options.sign_with.is_some());
    if !evidence.has(SIGNATURE) {
        let missing = signers.is_some() || to_be_signed && evidence.has(SUMS);
        let why = if to_be_signed {
            "though the run was started with --sign-with"
        } else {
            "the run was started without --sign-with"
        };
        return Ok(if missing { does_not(format!("there is no {SIGNATURE}: {why}")) } else { None });
    }
    let Some(signers) = signers else {
        let text = String::from_utf8_lossy(&fs_err::read(evidence.tree.path(SIGNATURE))?).into_owned();
        if !(text.starts_with(ARMOR[0]) && text.trim_end().ends_with(ARMOR[1])) {
            return Ok(does_not(format!("{SIGNATURE} is not a signature by ssh-keygen(1)")));
        }
        let what = format!("{SIGNATURE} is a signature: give the signer with --signed-by");
        return Ok(Some(Point::open(Kind::Integrity, what)));
    };
    match signature::signed_by(&signers.programs, evidence.tree.root(), signers.file, run.ended) {
        Ok(said) => Ok(Some(Point::new(Kind::Integrity, format!("signed: {said}"), Vec::new()))),
        Err(SignatureError::Said(why)) => Ok(does_not(format!("{SIGNATURE} is not valid: {why}"))),
        Err(error @ SignatureError::NotRun(_)) => Err(error.into()),
    }
}
