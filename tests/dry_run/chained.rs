//! `verify --chain`: each run names the one before.

use super::support::Staging;
use super::verified::verify;

#[test]
fn the_chain_of_runs_is_walked_over_days_and_a_gap_is_found() {
    // Two of one day, one of a later day, and a fourth that was refused.
    let first = Staging::of("healthy").remembering().option("--no-apply").run().exits(0);
    let root = first.evidence().parent().unwrap().to_owned();
    let second = first.staging.run().exits(0);
    for (from, to) in [(second.evidence(), "20260102"), (second.evidence().with_extension("1"), "20260102.1")]
    {
        std::fs::rename(from, root.join(to)).unwrap();
    }
    let third = second.staging.run().exits(0);
    let _last = third.staging.with("STAGING_CONTEXT", "unknown").run().exits(2);
    let chain = || verify(&root, &["--chain"]);
    let (status, said) = chain();
    assert!(
        status == Some(0) && said.contains("20260102.1 · run ") && said.contains("is the first one"),
        "{said}"
    );
    assert_eq!(said.matches("as the one before").count(), 3, "{said}");

    let copy = root.join("20260103");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(root.join("20260102/manifest.json"), copy.join("manifest.json")).unwrap();
    let (status, said) = chain();
    assert!(status == Some(1) && said.contains("20260103 has the same manifest"), "{said}");
    std::fs::remove_dir_all(copy).unwrap();

    std::fs::rename(root.join("20260102"), root.join("elsewhere")).unwrap();
    let (status, said) = chain();
    assert!(status == Some(1) && said.contains("a gap: it names run "), "{said}");
    assert!(said.contains("no run names it as the one before"), "what came before the gap: {said}");
    std::fs::rename(root.join("elsewhere"), root.join("20260102")).unwrap();
    assert_eq!(chain().0, Some(0));

    let manifest = root.join("20260102.1/manifest.json");
    let altered = std::fs::read_to_string(&manifest).unwrap().replace("\"exit_code\": 0", "\"exit_code\": 1");
    std::fs::write(manifest, altered).unwrap();
    let (status, said) = chain();
    assert!(status == Some(1) && said.contains("a gap"), "{said}");
    assert_eq!(verify(&root.join("none"), &["--chain"]).0, Some(2));
    let (status, said) = verify(&root.join("20260102"), &["--chain"]);
    assert!(status == Some(2) && said.contains("20260102 contains no run"), "{said}");
}

#[test]
fn dates_that_go_back_are_no_gap() {
    let first =
        Staging::of("healthy").remembering().option("--no-apply").with("TZ", "EAST-14").run().exits(0);
    let root = first.evidence().parent().unwrap().to_owned();
    let second = first.staging.with("TZ", "WEST+10").run().exits(0);
    let _third = second.staging.run().exits(0);
    let (status, said) = verify(&root, &["--chain"]);
    assert!(status == Some(0) && said.matches("as the one before").count() == 2, "{said}");
}

#[test]
fn a_run_that_could_not_be_begun_is_no_gap() {
    let first = Staging::of("healthy").remembering().option("--no-apply").run().exits(0);
    let evidence = first.evidence();
    let root = evidence.parent().unwrap();
    let failed = first.staging.with("TMPDIR", "/nowhere").run().exits(4);
    assert_eq!(evidence, failed.evidence(), "what was there is where it was");
    // One that was killed before it had a manifest.
    std::fs::rename(&evidence, root.join("20260102")).unwrap();
    std::fs::create_dir(root.join("20260103")).unwrap();
    let _last = failed.staging.with("TMPDIR", "/tmp").run().exits(0);
    let (status, said) = verify(root, &["--chain"]);
    assert!(status == Some(0) && said.contains("names 20260102 as the one before"), "{said}");
}
