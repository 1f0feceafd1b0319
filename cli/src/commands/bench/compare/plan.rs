//! Which tests are run on which rivals, and in which order.

use std::time::Duration;

use crate::args::{BenchTest, CompareArgs, Rival};
use crate::commands::WrongUsage;
use crate::measure::Test;

/// The shortest frame and the longest of a common Ethernet, check sequence included.
const USUAL_SIZES: [u32; 2] = [64, 1518];

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

    /// The rivals in the order of a round: each round begins with another, so that none always
    /// follows the same one.
    pub(super) fn order(&self, round: u32) -> impl Iterator<Item = Rival> {
        let count = self.rivals.len();
        let first = usize::try_from(round).unwrap_or(0) % count.max(1);
        self.rivals.iter().copied().cycle().skip(first).take(count)
    }

    /// How many measurements there are.
    pub(super) fn measurements(&self) -> usize {
        self.rivals.len() * self.tests.len() * usize::try_from(self.rounds).unwrap_or(usize::MAX)
    }
}

fn tests(args: &CompareArgs) -> anyhow::Result<Vec<Test>> {
    let sizes = sizes(&args.sizes)?;
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

/// The smallest first.
fn sizes(given: &[u32]) -> anyhow::Result<Vec<usize>> {
    let [_, largest] = USUAL_SIZES;
    if let Some(size) = given.iter().find(|size| **size > largest) {
        let sentence = format!(
            "a frame of {size} bytes is too long for a comparison, in which the MTU is 1500: \
             choose a --size from 64 to {largest}"
        );
        return Err(WrongUsage(sentence).into());
    }
    let wanted = if given.is_empty() {
        &USUAL_SIZES[..]
    } else {
        given
    };
    let sizes: Result<Vec<_>, _> = wanted.iter().map(|&size| usize::try_from(size)).collect();
    let mut sizes = sizes?;
    sizes.sort_unstable();
    Ok(sizes)
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
    use Rival::{Bridge, Direct, Vswitch};

    #[test]
    fn each_round_begins_with_another_rival() {
        let plan = Plan::example(&[Direct, Bridge, Vswitch], 2);
        let order = |round| plan.order(round).collect::<Vec<_>>();
        assert_eq!(order(0), [Direct, Bridge, Vswitch]);
        assert_eq!(order(1), [Bridge, Vswitch, Direct]);
        assert_eq!(order(5), [Vswitch, Direct, Bridge]);
        assert_eq!(plan.measurements(), 12);
    }

    #[test]
    fn frames_fit_the_mtu() {
        assert_eq!(sizes(&[]).unwrap(), [64, 1518]);
        assert_eq!(sizes(&[512, 64]).unwrap(), [64, 512]);
        let error = sizes(&[64, 1519]).unwrap_err();
        assert!(error.is::<WrongUsage>() && error.to_string().contains("1519"));
    }
}
