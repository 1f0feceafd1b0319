//! What to do about an error of the libraries, in the words of this program's commands, of which the
//! libraries know nothing.

use std::error::Error;

use vswitch_netns::{LinkError, NamespaceError, QuietError, SpawnError};

/// The end of the sentence that the error is; none where the error says it all.
pub fn of(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<NamespaceError>() {
        return of_namespace(error);
    }
    if let Some(error) = error.downcast_ref::<LinkError>() {
        return of_link(error);
    }
    // These pass the sentence of another error on as their own.
    match (error.downcast_ref(), error.downcast_ref()) {
        (Some(SpawnError::Namespace(error)), _) | (_, Some(QuietError::Namespace(error))) => {
            of_namespace(error)
        }
        (_, Some(QuietError::Link(error))) => of_link(error),
        _ => None,
    }
}

fn of_namespace(error: &NamespaceError) -> Option<String> {
    match error {
        NamespaceError::NotFound { name } => Some(format!(
            ": 'vswitch netns list' lists those there are, 'vswitch netns add {name}' creates it"
        )),
        NamespaceError::Stale { name, .. } => {
            Some(format!(" ('vswitch netns del {name}' deletes it)"))
        }
        _ => None,
    }
}

fn of_link(error: &LinkError) -> Option<String> {
    match error {
        LinkError::NotFound { .. } => Some(": 'vswitch link' lists those there are".to_owned()),
        LinkError::Busy { name } => Some(format!(" ('vswitch link set {name} down')")),
        _ => None,
    }
}

/// The sentence of an error, with what to do.
pub fn sentence(error: &(dyn Error + 'static)) -> String {
    format!("{error}{}", of(error).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> NamespaceError {
        NamespaceError::NotFound {
            name: "mario".to_owned(),
        }
    }

    #[test]
    fn errors_of_the_libraries_get_the_command_that_helps() {
        let link = LinkError::Busy {
            name: "eth0".to_owned(),
        };
        for (error, command) in [
            (
                &missing() as &(dyn Error + 'static),
                "'vswitch netns add mario'",
            ),
            (&SpawnError::Namespace(missing()), "'vswitch netns list'"),
            (&QuietError::Namespace(missing()), "'vswitch netns list'"),
            (&link, "'vswitch link set eth0 down'"),
        ] {
            let whole = sentence(error);
            assert!(whole.contains(command), "{whole}");
            assert!(!error.to_string().contains("vswitch"), "{error}");
        }
        assert_eq!(of(&std::io::Error::other("full")), None);
    }
}
