//! File-system events as a hint to poll now. What they say is not believed: they wake the
//! thread, and what is at the source decides. If they fail, polling goes on as before.

use core::time::Duration;

use super::core::Shared;
use super::logging;
use super::std::collections::BTreeSet;
use super::std::ffi::OsString;
use super::std::fs;
use super::std::io;
use super::std::path::{Component, Path, PathBuf};
use super::std::prelude::rust_2024::*;
use super::std::sync::mpsc::{self, RecvTimeoutError};
use super::std::sync::{Arc, Weak};
use super::std::thread;
use super::sync::Mutex;

use notify::event::{AccessKind, AccessMode, Event, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// A path goes over no more links than this, as in Linux.
const MOST_LINKS: usize = 40;

/// How soon to try again to watch what cannot be watched.
const AGAIN: Duration = Duration::from_secs(1);

/// What the thread is told.
enum News {
    Event(notify::Result<Event>),
    /// Events are not wanted any more.
    End,
}

/// Where the threads that hear of events are told that it is over.
#[derive(Default)]
pub(super) struct Listening(Mutex<Vec<mpsc::Sender<News>>>);

impl Listening {
    pub(super) fn end(&self) {
        for news in self.0.lock().drain(..) {
            let _ = news.send(News::End);
        }
    }
}

/// Begins to wake the thread at events. Returns what ends it.
pub(super) fn begin<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
) -> io::Result<impl FnOnce() + Send + 'static + use<T>> {
    if shared.watched.is_empty() {
        let message = "no files are watched, so there are no events of them";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    let (news, hears) = mpsc::channel();
    let tell = news.clone();
    let watcher = RecommendedWatcher::new(
        move |event| drop(tell.send(News::Event(event))),
        notify::Config::default(),
    );
    let mut events = Events {
        watcher: watcher.map_err(io::Error::other)?,
        folders: BTreeSet::new(),
        wanted: Wanted::default(),
        failed: false,
    };
    events.follow(&paths_of(shared)).map_err(io::Error::other)?;
    let weak = Arc::downgrade(shared);
    let named = thread::Builder::new().name("steadyconf-events".into());
    named.spawn(move || run(events, &hears, &weak))?;
    // What happened before the watches were there is to be seen, too.
    shared.signal.wake();
    shared.events.0.lock().push(news.clone());
    Ok(move || drop(news.send(News::End)))
}

/// The watches, and what is wanted of them.
struct Events {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    wanted: Wanted,
    failed: bool,
}

fn run<T: Send + Sync + 'static>(
    mut events: Events,
    hears: &mpsc::Receiver<News>,
    shared: &Weak<Shared<T>>,
) {
    loop {
        let news = match events.failed {
            false => hears.recv().map_err(|_| RecvTimeoutError::Disconnected),
            // A folder that is missing may come again without an event.
            true => hears.recv_timeout(AGAIN),
        };
        let news = match news {
            Ok(news) => Some(news),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let (mut wakes, mut error) = (news.is_none(), None);
        for news in news.into_iter().chain(hears.try_iter()) {
            match news {
                News::End => return,
                News::Event(Ok(event)) => wakes |= events.wanted.has(&event),
                News::Event(Err(told)) => error = Some(told),
            }
        }
        if wakes || error.is_some() {
            shared.signal.wake();
            // A link may lead elsewhere now, or another file may be named.
            let followed = events.follow(&paths_of(&shared));
            error = error.or(followed.err());
            events.tell(error.as_ref());
        }
    }
}

impl Events {
    /// Watches what these paths lead over now.
    fn follow(&mut self, paths: &[PathBuf]) -> notify::Result<()> {
        let mut wanted = Wanted::default();
        paths.iter().for_each(|path| wanted.resolve(path));
        let folders = wanted.folders();
        let mut result = Ok(());
        for gone in self.folders.difference(&folders) {
            // It may be gone itself.
            let _ = self.watcher.unwatch(gone);
        }
        // A folder that was deleted and made again has lost its watch, so each is asked
        // for anew; for one that is there this changes nothing.
        for folder in &folders {
            let watched = self.watcher.watch(folder, RecursiveMode::NonRecursive);
            result = result.and(watched);
        }
        self.folders = folders;
        self.wanted = wanted;
        result
    }

    /// Told when it begins and when it ends.
    fn tell(&mut self, error: Option<&notify::Error>) {
        if error.is_some() != self.failed {
            self.failed = error.is_some();
            logging::events(error);
        }
    }
}

/// Returns what the configuration is read from, files that it names included.
fn paths_of<T: Send + Sync + 'static>(shared: &Shared<T>) -> Vec<PathBuf> {
    let active = shared.cell.load();
    let named = active.document().files().iter().map(|file| &**file.name());
    let sources = shared.watched.iter().map(|name| &**name);
    sources.chain(named).map(PathBuf::from).collect()
}

/// Whose events count.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    /// Files, and the links on the way to them.
    entries: BTreeSet<PathBuf>,
    /// Folders that are a source: all that is in them counts.
    folders: BTreeSet<PathBuf>,
}

impl Wanted {
    fn has(&self, event: &Event) -> bool {
        let reads = matches!(event.kind, EventKind::Access(access)
            if access != AccessKind::Close(AccessMode::Write));
        // Our own reading is no reason to read again.
        !reads && (event.need_rescan() || event.paths.iter().any(|path| self.is_of(path)))
    }

    /// Whether this is of what is watched, and not of a neighbour.
    fn is_of(&self, path: &Path) -> bool {
        let in_folder = path.parent().is_some_and(|p| self.folders.contains(p));
        in_folder || self.entries.contains(path) || self.folders.contains(path)
    }

    /// The folders to watch.
    fn folders(&self) -> BTreeSet<PathBuf> {
        let parents = self.entries.iter().filter_map(|path| path.parent());
        let parents = parents.map(Path::to_path_buf);
        self.folders.iter().cloned().chain(parents).collect()
    }

    /// Adds a path, and every link on the way.
    fn resolve(&mut self, path: &Path) {
        let mut todo = parts(path);
        let (mut done, mut links) = (PathBuf::new(), 0);
        while let Some(part) = todo.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            let next = done.join(&part);
            match fs::read_link(&next) {
                Ok(target) if links < MOST_LINKS => {
                    links += 1;
                    if target.is_absolute() {
                        done = PathBuf::new();
                    }
                    self.entries.insert(next);
                    todo.extend(parts(&target));
                }
                _ => done = next,
            }
        }
        if done.is_dir() {
            self.folders.insert(done.clone());
        }
        // The folder that it is in may be replaced as a whole.
        if let Some(folder) = done.parent().filter(|folder| folder.parent().is_some()) {
            self.entries.insert(folder.to_path_buf());
        }
        self.entries.insert(done);
    }
}

/// Returns the parts of a path, the last first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let mut parts: Vec<_> = parts.map(|part| part.as_os_str().to_owned()).collect();
    parts.reverse();
    parts
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::std::os::unix::fs::symlink;
    use super::*;

    #[test]
    fn every_link_on_the_way_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        // As Kubernetes mounts a volume.
        fs::create_dir_all(at("volume/..1")).unwrap();
        fs::write(at("volume/..1/app.yaml"), "1").unwrap();
        symlink("..1", at("volume/..data")).unwrap();
        symlink("..data/app.yaml", at("volume/app.yaml")).unwrap();
        symlink(at("volume/app.yaml"), at("config.yaml")).unwrap();
        let mut wanted = Wanted::default();
        wanted.resolve(&at("config.yaml"));
        let entries = [
            "config.yaml",
            "volume/..1",
            "volume/..1/app.yaml",
            "volume/..data",
            "volume/app.yaml",
        ];
        assert_eq!(
            wanted.entries,
            entries.iter().map(|name| at(name)).collect()
        );
        let folders = [at(""), at("volume"), at("volume/..1")];
        let folders: BTreeSet<_> = folders.iter().map(|f| f.components().collect()).collect();
        assert_eq!(wanted.folders(), folders);

        let mut wanted = Wanted::default();
        wanted.resolve(&at("volume/../volume"));
        assert_eq!(wanted.folders, [at("volume")].into());
        // What is not there yet is awaited where it would be, and a circle ends.
        symlink("circle", at("circle")).unwrap();
        for name in ["missing.yaml", "circle"] {
            let mut wanted = Wanted::default();
            wanted.resolve(&at(name));
            assert!(wanted.entries.contains(&at(name)), "{wanted:?}");
        }
    }
}
