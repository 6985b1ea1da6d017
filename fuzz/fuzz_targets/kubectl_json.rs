//! JSON that kubectl prints. The facts go into the journal, so each must come back from there as it was.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use staging_dry_run::facts::{context, deployments, endpoints, pods, versions, whoami};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(pods) = pods::pods(bytes) {
        for pod in &pods {
            let _ = (pod.failing(), pod.restarts(), pod.running(), pod.trouble());
        }
        let counted: usize = pods::images(&pods).iter().map(|image| image.pods).sum();
        let all: usize = pods.iter().map(|pod| pod.containers.len()).sum();
        assert_eq!(counted, all);
        survives_the_journal(&pods);
    }
    if let Ok(deployments) = deployments::deployments(bytes) {
        for deployment in &deployments {
            let _ = deployment.failed_create();
        }
        survives_the_journal(&deployments);
    }
    // One answer holds Services and slices, as in a run.
    if let Ok(services) = endpoints::of_services(bytes, bytes) {
        survives_the_journal(&services);
    }
    if let Ok(context) = context::parse(bytes) {
        survives_the_journal(&context);
    }
    let _ = (versions::kubectl_client(bytes), versions::server(bytes), whoami::username(bytes));
});

fn survives_the_journal<T: Serialize + DeserializeOwned + PartialEq + Debug>(fact: &T) {
    let json = serde_json::to_string(fact).expect("a fact can be written");
    assert_eq!(&serde_json::from_str::<T>(&json).expect("and read again"), fact, "{json}");
}
