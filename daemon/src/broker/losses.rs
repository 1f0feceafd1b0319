//! What is wrong with helpers, in words.

use super::Broker;
use super::helper::{Health, Helper};

impl Broker {
    /// Logs the end of each, once.
    pub(super) fn log_losses(&self) {
        for helper in self.helpers.iter().filter(|helper| helper.is_news()) {
            log::warn!("{}", self.loss(helper));
        }
    }

    /// What is wrong with them, a sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.log_losses();
        let all = self.helpers.iter();
        if all.clone().all(|helper| helper.health() == Health::Ended) {
            return vec![self.all_lost()];
        }
        all.enumerate().filter_map(|(index, helper)| match helper.health() {
            Health::Well => None,
            Health::Busy if self.later.is_waiting_for(index) => None,
            Health::Ended => Some(self.loss(helper)),
            Health::Stopped => Some(format!(
                "the helper process {0} was stopped by a signal, and does not answer: \
                 'kill -CONT {0}' lets it go on",
                helper.pid()
            )),
            Health::Busy => Some(format!(
                "the helper process {} does not answer, and is not asked until it does; if it stays so, \
                 'vswitch restart' starts another",
                helper.pid()
            )),
        })
        .collect()
    }

    /// What the end of a helper means.
    fn loss(&self, ended: &Helper) -> String {
        let left = self
            .helpers
            .iter()
            .find(|helper| helper.pid() != ended.pid() && helper.health() != Health::Ended);
        match left {
            Some(left) => format!(
                "the helper process {} has ended, and process {} does its work alone: \
                 'vswitch restart' starts both again",
                ended.pid(),
                left.pid()
            ),
            None => self.all_lost(),
        }
    }

    #[expect(clippy::unused_self, reason = "it is about its helpers")]
    fn all_lost(&self) -> String {
        "both helper processes have ended: namespaces cannot be attached by name, and 'vswitch \
         restart' does not work; kill the switch's process too and run it again, which keeps all \
         that it has"
            .to_owned()
    }
}
