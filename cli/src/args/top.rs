//! `vswitch top`.

use std::time::Duration;

use clap::Args;

use vswitch_control::names::SwitchName;

/// The shortest and the longest time between two looks, in seconds.
const INTERVALS: (f64, f64) = (0.1, 3_600.0);

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch top                              # until q; ? shows all keys
  vswitch top --switch my_switch --interval 0.5
  vswitch top --once                       # rates of one interval, as plain text
  vswitch top --json                       # the same for machines

Each interval costs the switch one 'show', and one read of the MAC table while it is on the screen.
Where standard output is not a terminal, use --once or --json.")]
pub(crate) struct TopArgs {
    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Refresh interval in seconds.
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = interval)]
    pub(crate) interval: Duration,

    /// Print the rates of one interval as plain text, and exit.
    #[arg(long)]
    pub(crate) once: bool,

    /// Print the rates of one interval as JSON for machines, and exit.
    #[arg(long)]
    pub(crate) json: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let (least, most) = INTERVALS;
    match text.parse::<f64>() {
        Ok(seconds) if (least..=most).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) => Err(format!("it is not in the range {least} to {most} seconds")),
        Err(_) => Err("it is not a number of seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_neither_nothing_nor_for_ever() {
        assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "1e9", "nan", "inf", "", "x", "0.01"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
