//! Percentiles of latencies.

/// Returns the 95th percentile by nearest rank, in the unit of the samples (ms); `None` without samples.
///
/// It is the smallest sample that at least 95 of 100 samples do not exceed. Nearest rank always returns a
/// measured latency; of twenty samples it is the nineteenth.
pub fn p95(samples: &[u64]) -> Option<u64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * 95).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nearest_rank() {
        assert_eq!(p95(&[]), None);
        assert_eq!(p95(&[7]), Some(7));
        assert_eq!(p95(&(1..=20).rev().collect::<Vec<_>>()), Some(19));
        assert_eq!(p95(&(1..=100).collect::<Vec<_>>()), Some(95));
        assert_eq!(p95(&(1..=21).collect::<Vec<_>>()), Some(20));
    }

    proptest! {
        #[test]
        fn at_least_95_of_100_do_not_exceed_it(samples in proptest::collection::vec(any::<u64>(), 1..200)) {
            let p95 = p95(&samples).unwrap();
            prop_assert!(samples.contains(&p95));
            prop_assert!(samples.iter().filter(|&&it| it <= p95).count() * 100 >= samples.len() * 95);
            prop_assert!(samples.iter().filter(|&&it| it < p95).count() * 100 < samples.len() * 95);
        }
    }
}
