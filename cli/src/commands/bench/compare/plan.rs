//! Which tests are run on which rivals, and in which order.

use std::time::Duration;

use crate::args::{BenchTest, CompareArgs, Rival};
use crate::commands::WrongUsage;
use crate::commands::bench::sizes::{USUAL_LARGEST, sizes};
use crate::measure::Test;

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) rivals: Vec<Rival>,
    pub(super) tests: Vec<Test>,
    pub(super) rounds: u32,
    pub(super) time: Duration,
}

impl Plan {
    /// # Errors
    /// [`WrongUsage`] where a frame would be too long for the rivals.
    pub(super) fn new(args: &CompareArgs) -> anyhow::Result<Self> {
        Ok(Self {
            rivals: args.rivals.clone(),
            tests: tests(args)?,
            rounds: args.rounds,
            time: Duration::from_secs(args.time_s.into()),
        })
    }

    /// The rivals in the order of a round of the test with this index. What is measured may
    /// depend on what ran just before (heat, caches), so the order is balanced: with as many
    /// rounds as rivals, twice as many if their number is odd, each comes at every place and after
    /// every other equally often (E. J. Williams, Aust. J. Sci. Res. A 2, 1949, 149-168).
    pub(super) fn order(&self, round: u32, test: usize) -> impl Iterator<Item = Rival> {
        let count = self.rivals.len();
        let step = usize::try_from(round).unwrap_or(0).wrapping_add(test);
        let reversed = !count.is_multiple_of(2) && !step.is_multiple_of(2);
        (0..count).map(move |place| {
            let place = if reversed { count - 1 - place } else { place };
            // 0, 1, -1, 2, -2 and so on: no two neighbours are as far apart as two others.
            let zigzag = if place.is_multiple_of(2) {
                count - place / 2
            } else {
                place.div_ceil(2)
            };
            self.rivals[(step % count + zigzag) % count]
        })
    }

    /// How many measurements there are.
    pub(super) fn measurements(&self) -> usize {
        self.rivals.len() * self.tests.len() * usize::try_from(self.rounds).unwrap_or(usize::MAX)
    }
}

fn tests(args: &CompareArgs) -> anyhow::Result<Vec<Test>> {
    let sizes = frame_sizes(&args.sizes)?;
    let mut tests = Vec::new();
    for kind in &args.tests {
        match kind {
            BenchTest::Tcp => {
                tests.push(Test::Tcp { streams: 1 });
                let streams = usize::from(args.streams);
                tests.extend((streams > 1).then_some(Test::Tcp { streams }));
            }
            BenchTest::Response => tests.push(Test::Response { one_cpu: false }),
            BenchTest::ResponseOneCpu => tests.push(Test::Response { one_cpu: true }),
            BenchTest::Frames => {
                tests.extend(sizes.iter().map(|&size| Test::Frames { size, sources: 1 }));
            }
            BenchTest::Sources => tests.extend(sizes.first().map(|&size| Test::Frames {
                size,
                sources: args.sources.try_into().unwrap_or(usize::MAX),
            })),
            BenchTest::NoLoss => {
                tests.extend(sizes.iter().map(|&size| Test::NoLoss { size }));
            }
        }
    }
    Ok(tests)
}

/// The sizes of raw frames that every rival carries.
fn frame_sizes(given: &[u32]) -> anyhow::Result<Vec<usize>> {
    sizes(given, USUAL_LARGEST).map_err(|size| {
        let sentence = format!(
            "a frame of {size} bytes is too long for a comparison, in which the MTU is 1500: \
             choose a --size from 64 to {USUAL_LARGEST}"
        );
        WrongUsage(sentence).into()
    })
}

#[cfg(test)]
impl Plan {
    /// Of one frame test, and a response test, for a second each.
    pub(super) fn example(rivals: &[Rival], rounds: u32) -> Self {
        Self {
            rivals: rivals.to_vec(),
            tests: vec![
                Test::Frames {
                    size: 64,
                    sources: 1,
                },
                Test::Response { one_cpu: false },
            ],
            rounds,
            time: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Rival::{Bridge, Direct, Ovs, OvsTso, Vde, Vswitch};
    use std::collections::HashMap;

    #[test]
    fn each_rival_comes_at_every_place_and_after_every_other_equally_often() {
        let all = [Direct, Bridge, Vswitch, Ovs, OvsTso, Vde];
        for count in 1..=all.len() {
            let plan = Plan::example(&all[..count], 1);
            let rounds = if count % 2 == 0 { count } else { 2 * count };
            for test in 0..3 {
                let mut places = HashMap::new();
                let mut pairs = HashMap::new();
                for round in 0..u32::try_from(rounds).unwrap() {
                    let order: Vec<_> = plan.order(round, test).collect();
                    for (place, &rival) in order.iter().enumerate() {
                        *places.entry((place, rival)).or_insert(0) += 1;
                    }
                    for pair in order.windows(2) {
                        *pairs.entry((pair[0], pair[1])).or_insert(0) += 1;
                    }
                }
                assert_eq!(places.len(), count * count, "{count}");
                assert!(places.values().all(|&times| times == rounds / count));
                assert_eq!(pairs.len(), count * (count - 1), "{count}");
                assert!(pairs.values().all(|&times| times == rounds / count));
            }
        }
    }

    #[test]
    fn what_a_rival_follows_differs_between_rounds_and_tests() {
        let plan = Plan::example(&[Direct, Bridge, Vswitch], 2);
        let order = |round, test| plan.order(round, test).collect::<Vec<_>>();
        assert_eq!(order(0, 0), [Direct, Bridge, Vswitch]);
        assert_eq!(order(1, 0), [Direct, Vswitch, Bridge]);
        assert_eq!(order(0, 1), order(1, 0));
        assert_eq!(order(2, 0), [Vswitch, Direct, Bridge]);
        assert_eq!(plan.measurements(), 12);
    }

    #[test]
    fn frames_fit_the_mtu() {
        assert_eq!(frame_sizes(&[]).unwrap(), [64, 1518]);
        let error = frame_sizes(&[64, 1519]).unwrap_err();
        assert!(error.is::<WrongUsage>() && error.to_string().contains("1519"));
    }
}
