//! The thread that follows the folders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_folder::scan::{Lost, Mount, MountName, Place, Reading, WatchList};
use portcullis_folder::watch::{Followed, Notice, Watch, Writers};
use portcullis_folder::{Contents, Roots, Scanner, Shelf, Sight};
use tokio::sync::mpsc;

/// Who changes one file often changes several: wait until it is quiet this long ...
const QUIET: Duration = Duration::from_millis(4);
/// ... but no longer than this.
const IMPATIENCE: Duration = Duration::from_millis(40);
/// How soon to look again at files that changed just before they were read.
const SETTLING: Duration = Duration::from_millis(50);
/// How often to look again at most while files go missing.
const SETTLING_LOOKS: usize = 20;
/// How often to look without being told: network file systems tell nothing.
const RESCAN: Duration = Duration::from_secs(10);
/// How often to look when the kernel cannot tell us at all.
const RESCAN_UNWATCHED: Duration = Duration::from_secs(1);
/// Notices that wait to be read. When there are more, the rest are lost, and that they were is
/// remembered.
const NOTICES: usize = 4096;

/// Wakes the thread.
#[derive(Clone, Debug)]
pub(crate) struct Waker {
    notices: SyncSender<Notice>,
    /// Whether notices were lost since the thread looked last: whose writer is done is not known
    /// then, so nobody is taken to be writing.
    lost: Arc<AtomicBool>,
}

impl Waker {
    /// Look at everything again.
    pub(crate) fn wake(&self) {
        self.send(Notice::Anything);
    }

    fn send(&self, notice: Notice) {
        match self.notices.try_send(notice) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => self.lost.store(true, Ordering::Relaxed),
        }
    }
}

/// Follows `roots` on a thread of its own, which ends with the receiver of the contents. The first
/// contents come at once, others when something changed.
pub(crate) fn follow(roots: Roots, contents: mpsc::Sender<Contents>) -> std::io::Result<Waker> {
    let (sender, notices) = sync_channel(NOTICES);
    let waker = Waker {
        notices: sender,
        lost: Arc::default(),
    };
    let sink = waker.clone();
    let watch = match Watch::new(move |notice| sink.send(notice)) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(
                "{error}; looking every {} s instead",
                RESCAN_UNWATCHED.as_secs()
            );
            None
        }
    };
    let follower = Follower::new(roots, watch, Arc::clone(&waker.lost));
    thread::Builder::new()
        .name("folders".to_owned())
        .spawn(move || follower.run(&notices, &contents))?;
    Ok(waker)
}

struct Follower {
    scanner: Scanner,
    shelf: Shelf,
    watch: Option<Watch>,
    writers: Writers,
    /// See [`Waker`].
    lost_notices: Arc<AtomicBool>,
    /// What notices are about that count.
    list: WatchList,
    seen: Option<Seen>,
    /// What was said last about folders that cannot be watched.
    unwatched: Option<String>,
}

/// All of a [`Sight`] that the contents depend on.
#[derive(PartialEq)]
struct Seen {
    files: BTreeMap<Place, Reading>,
    mounts: BTreeMap<MountName, Mount>,
    lost: Vec<Lost>,
}

impl Follower {
    fn new(roots: Roots, watch: Option<Watch>, lost_notices: Arc<AtomicBool>) -> Self {
        Self {
            scanner: Scanner::new(roots),
            shelf: Shelf::default(),
            watch,
            writers: Writers::default(),
            lost_notices,
            list: WatchList::default(),
            seen: None,
            unwatched: None,
        }
    }

    fn run(mut self, notices: &Receiver<Notice>, contents: &mpsc::Sender<Contents>) {
        while let Some((sight, pause)) = self.look(notices) {
            if let Some(new) = self.take(sight)
                && contents.blocking_send(new).is_err()
            {
                return;
            }
            if contents.is_closed() || self.wait(notices, pause).is_none() {
                return;
            }
        }
    }

    /// Looks at everything, and says how long to rest if nothing happens; `None` when there is
    /// nobody left who could tell.
    ///
    /// A folder that is deleted loses its files first. So files that are missing are taken for
    /// deleted only if no more go missing for a moment, and their folder is still there.
    fn look(&mut self, notices: &Receiver<Notice>) -> Option<(Sight, Duration)> {
        let mut sight = self.look_once(notices);
        for _ in 0..SETTLING_LOOKS {
            if !self.misses_something(&sight) {
                break;
            }
            self.rest(notices, SETTLING)?;
            let again = self.look_once(notices);
            let is_settled = again.files.keys().eq(sight.files.keys())
                && again.mounts.keys().eq(sight.mounts.keys())
                && again.lost == sight.lost;
            sight = again;
            if is_settled {
                break;
            }
        }
        let pause = self.pause(&sight);
        Some((sight, pause))
    }

    /// Looks until all that is seen is also watched.
    fn look_once(&mut self, notices: &Receiver<Notice>) -> Sight {
        loop {
            // Who began to write since must not be read.
            for notice in notices.try_iter().take(NOTICES) {
                self.concerns(&notice);
            }
            if self.lost_notices.swap(false, Ordering::Relaxed) {
                self.concerns(&Notice::Anything);
            }
            let sight = self.scanner.scan(&self.writers.busy(Instant::now()));
            self.list.clone_from(&sight.watch);
            if self.follow(&sight.watch) == Followed::Same {
                return sight;
            }
        }
    }

    fn misses_something(&self, sight: &Sight) -> bool {
        self.seen.as_ref().is_some_and(|seen| {
            seen.files
                .keys()
                .any(|place| !sight.files.contains_key(place))
                || seen
                    .mounts
                    .keys()
                    .any(|name| !sight.mounts.contains_key(name))
        })
    }

    fn pause(&self, sight: &Sight) -> Duration {
        let patience = self.writers.patience_ends();
        let patience = patience.map(|end| end.saturating_duration_since(Instant::now()));
        let settling = sight.unsettled.then_some(SETTLING);
        let watched = self.watch.is_some() && self.unwatched.is_none();
        let rescan = if watched { RESCAN } else { RESCAN_UNWATCHED };
        [patience, settling, Some(rescan)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(rescan)
    }

    fn follow(&mut self, list: &WatchList) -> Followed {
        let Some(watch) = &mut self.watch else {
            return Followed::Same;
        };
        match watch.follow(list) {
            Ok(followed) => {
                self.unwatched = None;
                followed
            }
            Err(error) => {
                let said = Some(error.to_string());
                if self.unwatched != said {
                    tracing::warn!(
                        "{error}; looking every {} s instead",
                        RESCAN_UNWATCHED.as_secs()
                    );
                }
                self.unwatched = said;
                Followed::Same
            }
        }
    }

    /// What the folders hold, if that changed.
    fn take(&mut self, sight: Sight) -> Option<Contents> {
        let seen = Seen {
            files: sight.files.clone(),
            mounts: sight.mounts.clone(),
            lost: sight.lost.clone(),
        };
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        self.seen = Some(seen);
        Some(self.shelf.update(sight))
    }

    /// Waits this long and listens meanwhile.
    fn rest(&mut self, notices: &Receiver<Notice>, pause: Duration) -> Option<()> {
        let wake_up = Instant::now() + pause;
        loop {
            match notices.recv_timeout(wake_up.saturating_duration_since(Instant::now())) {
                Ok(notice) => {
                    self.concerns(&notice);
                    if Instant::now() >= wake_up {
                        return Some(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Some(()),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Waits for something to happen, then until it is quiet; `None` when there is nobody left who
    /// could tell.
    fn wait(&mut self, notices: &Receiver<Notice>, pause: Duration) -> Option<()> {
        let wake_up = Instant::now() + pause;
        loop {
            match notices.recv_timeout(wake_up.saturating_duration_since(Instant::now())) {
                Ok(notice) if self.concerns(&notice) => break,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Some(()),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        let deadline = Instant::now() + IMPATIENCE;
        let mut quiet_at = Instant::now() + QUIET;
        loop {
            let until = quiet_at.min(deadline);
            match notices.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(notice) => {
                    if self.concerns(&notice) {
                        quiet_at = Instant::now() + QUIET;
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Some(()),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Takes a notice in, and says whether it is about anything that is looked at.
    fn concerns(&mut self, notice: &Notice) -> bool {
        let concerns = match notice {
            Notice::Writing(path) | Notice::Changed(path) => self.list.covers(path),
            Notice::Anything => true,
        };
        if concerns {
            self.writers.note(notice, Instant::now());
        }
        concerns
    }
}

#[cfg(test)]
mod tests;
