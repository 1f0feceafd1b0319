//! `vswitch bench`: between two attached namespaces, or a comparison with other switches.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use vswitch_netns::name::NamespaceName;

use crate::measure;
use vswitch_control::names::SwitchName;

const EXAMPLES: &str = "\
Examples:
  vswitch bench mario luigi --time 5 --streams 4
  vswitch bench mario luigi --tests frames,no-loss --size 64,1518
  vswitch bench --compare                            # with every switch that is installed
  vswitch bench --compare bridge,vswitch --rounds 5 --plot switches.svg";

const COMPARISON: &str = "\
What is compared, with --compare:
  direct        a veth pair from A to B, without a switch: what the cable alone gives
  bridge        the Linux bridge, in a third namespace
  vswitch       'vswitch run' of this very program, A and B attached to it (also: packet)
  ovs           Open vSwitch in user space (datapath_type=netdev), with the checksum and
                segmentation offloads of A and B switched off, without which it loses TCP
  ovs-tso       the same with userspace-tso-enable=true and the offloads at their defaults
  vde           vde_switch with a TAP interface for A and one for B

All of it is built in throw-away namespaces: nothing of this machine is changed, and nothing is left
behind. Each rival has the same addresses and stations and an MTU of 1500, and its own programs run
for the time of its measurement alone, apart from the system's services. Every round measures each
test on each rival, on a fresh set-up once a ping has come through, in an order in which what a
rival comes after changes from round to round and from test to test. Shown are the median of all
rounds, the spread (lowest and highest, from the median), and the ratio to the bridge, or to the
first rival measured if there is no bridge: the median of the ratios within each round. Ratios from
one machine hold elsewhere only roughly; figures do not.

With Ctrl-C the comparison ends early and shows what it has measured so far.";

fn long_help() -> String {
    format!("{}\n\n{COMPARISON}\n\n{EXAMPLES}", measure::DEFINITIONS)
}

/// Measure throughput and response time between two attached namespaces, or compare switches.
///
/// With A and B: between two namespaces that are attached to a running switch. With --compare:
/// of this and other switches, each built for the purpose in namespaces of its own.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = long_help())]
#[command(override_usage = "vswitch bench [OPTIONS] <A> <B>\n       \
                            vswitch bench [OPTIONS] --compare [RIVALS]")]
pub(crate) struct BenchArgs {
    /// The namespace that sends.
    #[arg(
        value_name = "A",
        required_unless_present = "compare",
        conflicts_with = "compare"
    )]
    from: Option<NamespaceName>,

    /// The namespace that receives.
    #[arg(
        value_name = "B",
        required_unless_present = "compare",
        conflicts_with = "compare"
    )]
    to: Option<NamespaceName>,

    /// Compare switches, all or those named.
    #[arg(long, value_name = "RIVALS", value_enum, hide_possible_values = true,
          num_args = 0..=1, value_delimiter = ',',
          help = "Compare switches: all that are installed, or some of direct, bridge, vswitch, \
                  ovs, ovs-tso, vde")]
    compare: Option<Vec<Rival>>,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME", conflicts_with = "compare")]
    switch: Option<SwitchName>,

    /// How long each test takes, about [default: 3; with --compare 2].
    #[arg(long = "time", value_name = "SECS",
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    time_s: Option<u32>,

    /// How long raw frames are, check sequence included [default: 64,1518].
    #[arg(long = "size", value_name = "BYTES", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(64..=65_553))]
    sizes: Vec<u32>,

    /// How many TCP connections at once, besides one alone.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    streams: u16,

    /// From how many stations the frames of the test 'sources' come: a running switch remembers
    /// them until they age, and it is measured last.
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    sources: u32,

    /// What to measure.
    #[arg(
        long,
        value_name = "TESTS",
        value_enum,
        value_delimiter = ',',
        hide_possible_values = true,
        help = "What to measure, of tcp, response, response-one-cpu, frames, no-loss, sources \
                  [default: all but response-one-cpu and sources; with --compare all but no-loss]"
    )]
    tests: Vec<BenchTest>,

    /// How often everything is measured.
    #[arg(long, value_name = "N", default_value_t = 3, requires = "compare", conflicts_with = "from",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Print JSON for machines.
    #[arg(long)]
    json: bool,

    /// Print tables in Markdown, with the machine's description.
    #[arg(long, requires = "compare", conflicts_with_all = ["from", "json"])]
    markdown: bool,

    /// Draw a picture of the comparison into this file.
    #[arg(
        long,
        value_name = "FILE.svg",
        requires = "compare",
        conflicts_with = "from"
    )]
    plot: Option<PathBuf>,

    /// Where the comparison's own child is.
    #[arg(long, hide = true, requires = "compare", conflicts_with = "from")]
    inside: bool,
}

/// A way to connect two namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Rival {
    Direct,
    Bridge,
    #[value(alias = "packet")]
    Vswitch,
    Ovs,
    OvsTso,
    Vde,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchTest {
    /// Throughput of TCP, over one connection and over several.
    Tcp,
    /// Response time of TCP.
    Response,
    /// Response time with everything bound to one CPU, the switch too.
    ResponseOneCpu,
    /// Raw frames as fast as they go.
    Frames,
    /// The shortest of them from many stations in turn.
    Sources,
    /// The highest rate without loss.
    NoLoss,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Bench {
    Pair(PairArgs),
    Compare(CompareArgs),
}

/// A measurement between two attached namespaces.
#[derive(Debug)]
pub(crate) struct PairArgs {
    pub(crate) from: NamespaceName,
    pub(crate) to: NamespaceName,
    pub(crate) switch: Option<SwitchName>,
    pub(crate) json: bool,
    pub(crate) time_s: u32,
    /// None given: the usual ones.
    pub(crate) sizes: Vec<u32>,
    pub(crate) streams: u16,
    pub(crate) sources: u32,
    pub(crate) tests: Vec<BenchTest>,
}

/// A comparison.
#[derive(Debug)]
pub(crate) struct CompareArgs {
    /// Each once, in the order asked for.
    pub(crate) rivals: Vec<Rival>,
    pub(crate) rounds: u32,
    pub(crate) time_s: u32,
    /// None given: the usual ones.
    pub(crate) sizes: Vec<u32>,
    pub(crate) streams: u16,
    pub(crate) sources: u32,
    pub(crate) tests: Vec<BenchTest>,
    pub(crate) json: bool,
    pub(crate) markdown: bool,
    pub(crate) plot: Option<PathBuf>,
    pub(crate) inside: bool,
}

impl BenchArgs {
    /// Whether switches are compared, in namespaces of their own.
    pub(crate) const fn is_comparison(&self) -> bool {
        self.compare.is_some()
    }

    /// One of the two, which the definition of the arguments has kept apart.
    pub(crate) fn choose(self) -> Bench {
        use BenchTest::{Frames, NoLoss, Response, ResponseOneCpu, Sources, Tcp};
        let sizes = once_each(self.sizes);
        let tests = once_each(self.tests);
        let or = |default: &[BenchTest]| {
            if tests.is_empty() {
                default.to_vec()
            } else {
                tests
            }
        };
        if let (Some(from), Some(to)) = (self.from, self.to) {
            return Bench::Pair(PairArgs {
                from,
                to,
                switch: self.switch,
                json: self.json,
                time_s: self.time_s.unwrap_or(3),
                sizes,
                streams: self.streams,
                sources: self.sources,
                tests: or(&[Tcp, Response, Frames, NoLoss]),
            });
        }
        let rivals = once_each(self.compare.unwrap_or_default());
        Bench::Compare(CompareArgs {
            rivals: if rivals.is_empty() {
                Rival::value_variants().to_vec()
            } else {
                rivals
            },
            rounds: self.rounds,
            time_s: self.time_s.unwrap_or(2),
            sizes,
            streams: self.streams,
            sources: self.sources,
            tests: or(&[Tcp, Response, ResponseOneCpu, Frames, Sources]),
            json: self.json,
            markdown: self.markdown,
            plot: self.plot,
            inside: self.inside,
        })
    }
}

/// The values without their repetitions, in order.
fn once_each<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    let mut found = Vec::with_capacity(values.len());
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn parse(line: &str) -> Result<Bench, clap::Error> {
        let words = format!("vswitch bench {line}");
        match Cli::try_parse_from(words.split_whitespace())?.command {
            Command::Bench(args) => Ok(args.choose()),
            other => panic!("{other:?}"),
        }
    }

    fn compare(line: &str) -> CompareArgs {
        match parse(line) {
            Ok(Bench::Compare(args)) => args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn two_namespaces_or_a_comparison() {
        assert!(matches!(parse("a b"), Ok(Bench::Pair(pair)) if pair.time_s == 3));
        for wrong in [
            "",
            "a",
            "a b --compare",
            "--compare direct a b",
            "--compare direct --switch s",
            "a b --rounds 2",
            "a b --markdown",
            "a b --plot x.svg",
            "--compare --json --markdown",
            "--compare direct,peach",
            "--compare --tests frames,peach",
            "--compare --size 63",
            "--compare --time 0",
            "--compare --rounds 0",
            "--compare --sources 1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_comparison_is_of_all_or_of_those_named_once_each() {
        assert_eq!(compare("--compare").rivals, Rival::value_variants());
        assert_eq!(compare("--compare --json").rivals.len(), 6);
        assert_eq!(
            compare("--compare ovs,packet,vswitch,ovs").rivals,
            [Rival::Ovs, Rival::Vswitch]
        );
        let defaults = compare("--compare");
        assert!(!defaults.tests.contains(&BenchTest::NoLoss));
        assert_eq!((defaults.time_s, defaults.rounds), (2, 3));
        assert!(defaults.sizes.is_empty());
        assert_eq!(
            compare("--compare --size 64,512 --size 64").sizes,
            [64, 512]
        );
    }
}
