//! Flags of settings, made from their tables.

use std::fmt;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use vswitch_control::settings::{Change, Kind, Schema, Setting};

/// The word that resets a setting.
const BACK: &str = "default";
/// The group of the flags that change a setting.
pub(super) const GROUP: &str = "setting";
/// The heading of the settings of a port, where they are not all that there is.
pub(super) const OF_PORT: &str = "Settings of the port";

/// A flag for each setting of a table.
#[derive(Clone, Debug)]
pub(crate) struct SettingArgs<S>(pub(crate) S);

/// The same, where `default` resets a setting.
#[derive(Clone, Debug)]
pub(crate) struct ChangeArgs<S>(pub(crate) Change<S>);

impl<S: Schema> Args for SettingArgs<S> {
    fn augment_args(command: Command) -> Command {
        command.args(S::ALL.iter().map(|setting| {
            let help = setting.help();
            arg(setting, &help).value_parser(parser(setting, given::<S>))
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Schema> FromArgMatches for SettingArgs<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut args = Self(S::default());
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for setting in S::ALL {
            if let Some(given) = matches.get_one::<S>(setting.name) {
                self.0.copy(setting, given);
            }
        }
        Ok(())
    }
}

impl<S: Schema> Args for ChangeArgs<S> {
    fn augment_args(command: Command) -> Command {
        command.args(S::ALL.iter().map(|setting| {
            let help = format!("{} `{BACK}` resets it.", setting.help());
            arg(setting, &help)
                .group(GROUP)
                .value_parser(parser(setting, changed::<S>))
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Schema> FromArgMatches for ChangeArgs<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut args = Self(Change::default());
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for setting in S::ALL {
            if let Some(given) = matches.get_one::<Change<S>>(setting.name) {
                self.0.merge(given);
            }
        }
        Ok(())
    }
}

/// The flag of a setting, yet without a parser.
fn arg(setting: &'static Setting, help: &str) -> Arg {
    let help = match setting.default_text() {
        Some(default) => format!("{help} [default: {default}]"),
        None => help.trim_end_matches('.').to_owned(),
    };
    let mut arg = Arg::new(setting.name)
        .long(setting.flag())
        .value_name(setting.value_name)
        .help(help);
    if let Some(heading) = setting.heading {
        arg = arg.help_heading(heading);
    }
    if let Some(variable) = setting.variable {
        arg = arg.env(variable);
    }
    if let Some(bare) = setting.bare {
        arg = arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value(bare)
            .hide_possible_values(true);
    }
    arg
}

/// What a value of the command line is taken for.
type Read<T> = fn(&'static Setting, &str) -> Result<T, String>;

/// A table of which this setting alone is set.
fn given<S: Schema>(setting: &'static Setting, words: &str) -> Result<S, String> {
    let mut settings = S::default();
    settings.set(setting, words)?;
    Ok(settings)
}

fn changed<S: Schema>(setting: &'static Setting, words: &str) -> Result<Change<S>, String> {
    if words == BACK {
        let back = vec![setting.name];
        return Ok(Change {
            back,
            ..Change::default()
        });
    }
    let given = given::<S>(setting, words);
    given
        .map(Change::from)
        .map_err(|error| format!("{error}; '{BACK}' resets it"))
}

fn parser<T>(setting: &'static Setting, read: Read<T>) -> ValueParser
where
    T: Clone + fmt::Debug + Send + Sync + 'static,
{
    let word = |(word, help): &(&'static str, &'static str)| {
        let value = PossibleValue::new(*word);
        if help.is_empty() {
            value
        } else {
            value.help(*help)
        }
    };
    let words: Vec<PossibleValue> = match setting.kind {
        Kind::OneOf(words) => words.iter().map(word).collect(),
        Kind::Flag { yes, no } if setting.bare.is_some() => {
            [yes, no].into_iter().map(PossibleValue::new).collect()
        }
        _ => return ValueParser::new(move |words: &str| read(setting, words)),
    };
    PossibleValuesParser::new(words)
        .try_map(move |word: String| read(setting, &word))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{ArgGroup, Parser};
    use vswitch_control::settings::{PortSettings, SwitchSettings};

    #[derive(Debug, Parser)]
    struct Run {
        #[command(flatten)]
        settings: SettingArgs<SwitchSettings>,
    }

    #[derive(Debug, Parser)]
    #[command(group = ArgGroup::new(GROUP).multiple(true))]
    struct PortSet {
        #[command(flatten)]
        change: ChangeArgs<PortSettings>,
    }

    #[test]
    fn every_setting_of_a_switch_has_a_flag() {
        let line = "run --ageing=7 --max-macs=9 --forward-reserved --vlan-learning=independent \
                    --subnet=10.0.0.0/24 --broadcast-limit=100 --multicast-limit=off \
                    --unknown-limit=7 --port-max-macs=3 --move-limit=253 --loop-guard=off \
                    --receive=socket --ring-slots=128 --metrics=unix:/m --group=104 \
                    --guard=required";
        let run = Run::try_parse_from(line.split_whitespace()).unwrap();
        let told: Vec<String> = run
            .settings
            .0
            .texts()
            .map(|(setting, text)| match setting.bare {
                Some(bare) if bare == text => format!("--{}", setting.flag()),
                _ => format!("--{}={text}", setting.flag()),
            })
            .collect();
        assert_eq!(told, line.split_whitespace().skip(1).collect::<Vec<_>>());
    }

    #[test]
    fn default_sets_a_setting_of_a_port_back() {
        let line = ["set", "--max-macs", "default", "--broadcast-limit", "12"];
        let change = PortSet::try_parse_from(line).unwrap().change.0;
        assert_eq!(change.back, ["max_macs"]);
        let set: Vec<_> = change.set.texts().map(|(_, text)| text).collect();
        assert_eq!(set, ["12"]);
        for wrong in ["0", "-1", "many", ""] {
            let line = ["set".to_owned(), format!("--max-macs={wrong}")];
            assert!(PortSet::try_parse_from(line).is_err(), "{wrong}");
        }
    }
}
