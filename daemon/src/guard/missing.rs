//! What could not be given up, and what to do about it.

use vswitch_control::protocol::GuardView;

/// Something that could not be given up.
#[derive(Debug)]
pub(super) struct Missing {
    /// What, as the subject of a sentence.
    what: &'static str,
    /// What this allows to somebody who has taken the switch's process over.
    allows: &'static str,
    reason: String,
    remedy: &'static str,
}

/// All that is missing of what a switch is to give up.
pub(super) fn of(view: &GuardView) -> Vec<Missing> {
    let mut all = Vec::new();
    let mut add = |reason: Option<&String>, what, allows, remedy| {
        if let Some(reason) = reason {
            let reason = reason.clone();
            all.push(Missing {
                what,
                allows,
                reason,
                remedy,
            });
        }
    };
    add(
        view.capabilities_reason.as_ref(),
        "the limit on capabilities",
        "it keeps more of them than CAP_NET_ADMIN and CAP_NET_RAW",
        "allow capset(2) where the switch is started",
    );
    let refused = "prctl(2) is refused".to_owned();
    add(
        (!view.no_new_privs).then_some(&refused),
        "the limit on new privileges",
        "a program that it starts may gain some",
        "allow prctl(2) where the switch is started",
    );
    add(
        view.seccomp.reason.as_ref(),
        "the list of system calls (seccomp)",
        "it may make all of them",
        "allow seccomp(2) where the switch is started",
    );
    add(
        view.landlock.reason.as_ref(),
        "the list of paths (Landlock)",
        "it may use all files of its user",
        "allow landlock_create_ruleset(2) and its companions where the switch is started, on a kernel that \
         has 'landlock' in its parameter lsm=",
    );
    all
}

/// All of it, as the reason why a switch does not start.
pub(super) fn in_one_sentence(missing: &[Missing]) -> String {
    let told: Vec<String> = missing
        .iter()
        .map(|one| format!("{} is missing: {} ({})", one.what, one.reason, one.remedy))
        .collect();
    format!(
        "{}; or run the switch without --guard required",
        told.join(", and ")
    )
}

/// What `show` and the log warn of.
pub(super) fn warnings(view: &GuardView) -> Vec<String> {
    if !view.on {
        return vec![
            "the guard is off (--guard off, or --no-guard): somebody who takes the switch's process over \
             has all rights of its user; start the switch again without that option"
                .to_owned(),
        ];
    }
    let sentence = |one: Missing| {
        let Missing {
            what,
            allows,
            reason,
            remedy,
        } = one;
        format!("{what} is missing, so that {allows}: {reason}; {remedy}")
    };
    of(view).into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_control::protocol::LayerView;

    #[test]
    fn what_holds_is_no_warning() {
        let held = || LayerView {
            on: true,
            ..LayerView::default()
        };
        let mut view = GuardView {
            on: true,
            no_new_privs: true,
            seccomp: held(),
            landlock: held(),
            ..GuardView::default()
        };
        assert_eq!(warnings(&view), Vec::<String>::new());
        view.seccomp.reason = Some("because".to_owned());
        let [only] = warnings(&view).try_into().unwrap();
        assert!(
            only.contains("(seccomp) is missing") && only.contains("because"),
            "{only}"
        );
        view.on = false;
        assert!(warnings(&view)[0].contains("--guard off"));
    }
}
