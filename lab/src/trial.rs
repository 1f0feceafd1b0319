//! Lab files of any bytes, for fuzzers.

use super::lab::{name_in, read};
use super::place::position;
use super::thing::Things;

/// Reads what might be a lab file. Panics where something is wrong.
pub fn lab_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let otherwise = "trial".parse().ok();
    let problems = match name_in(text, otherwise) {
        Ok(name) => match read(text, name, &Things::default()) {
            Ok(lab) => {
                // A lab that can be read again must be the same, or each 'up' would change it.
                let again = read(text, lab.name.clone(), &lab.things);
                assert_eq!(again.map(|lab| lab.things), Ok(lab.things));
                return;
            }
            Err(problems) => problems,
        },
        Err(problems) => problems,
    };
    assert!(!problems.is_empty(), "refused without a reason");
    for problem in problems {
        let (line, column) = position(text, problem.span.start);
        assert!(line > 0 && column > 0);
        assert!(!problem.text.is_empty(), "a problem without words");
    }
}
