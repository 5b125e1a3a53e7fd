//! The texts of a device's modules: from the directory, from the device, or, for standard modules that it does not give away, our own.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

use super::LeftOut;
use crate::client::{Error, Library, Session};
use crate::yang::STANDARD_MODULES;
use crate::yang::ffi::Text;

/// Texts asked for at once: enough to hide the way there and back, few enough for a small server.
const AT_ONCE: usize = 8;

/// Modules and submodules of one device, which is several times what the largest have. More are left out.
const MODULES: usize = 8192;

/// The largest text, ten times that of any module known.
const TEXT: usize = 8 << 20;

/// All that can be had, and what cannot.
pub(super) async fn gather(
    session: &Session,
    library: &Library,
    directory: Option<PathBuf>,
) -> Result<(Vec<Text>, Vec<LeftOut>), Error> {
    let modules = library.modules.iter().map(|module| (&module.name, &module.revision));
    let submodules = library.modules.iter().flat_map(|module| &module.submodules);
    let wanted = modules.chain(submodules.map(|(name, revision)| (name, revision)));
    let directory = directory.as_deref();
    let mut found = stream::iter(wanted.enumerate())
        .map(|(number, (name, revision))| async move {
            let text = if number < MODULES {
                one(session, directory, name, revision.as_deref()).await?
            } else {
                Err("the device has too many modules".to_owned())
            };
            Ok::<_, Error>((name.clone(), revision.clone(), text))
        })
        .buffered(AT_ONCE);
    let (mut texts, mut left_out) = (Vec::new(), Vec::new());
    while let Some(found) = found.next().await {
        match found? {
            (name, revision, Ok(text)) => texts.push(Text { name, revision, text }),
            (module, _, Err(reason)) => left_out.push(LeftOut { module, reason }),
        }
    }
    Ok((texts, left_out))
}

/// One text, or why there is none.
async fn one(
    session: &Session,
    directory: Option<&Path>,
    name: &str,
    revision: Option<&str>,
) -> Result<Result<Arc<str>, String>, Error> {
    // Both become part of a file's name.
    let (identifier, date) = (is_identifier(name), revision.is_none_or(is_revision));
    if !identifier || !date {
        return Ok(Err("its name is not a YANG identifier, or its revision not a date".to_owned()));
    }
    // Without a revision a text can change under its name.
    let file = directory.zip(revision).map(|(directory, revision)| directory.join(format!("{name}@{revision}.yang")));
    if let Some(file) = file.clone()
        && let Some(text) = blocking(move || read(&file)).await
    {
        return Ok(Ok(Arc::from(text)));
    }
    let refused = if session.has_get_schema() {
        match session.get_schema(name, revision).await {
            Ok(text) if text.len() > TEXT => return Ok(Err(format!("its text has more than {TEXT} bytes"))),
            Ok(text) => {
                if let Some(file) = file {
                    let copy = text.clone();
                    blocking(move || keep(&file, &copy)).await;
                }
                return Ok(Ok(Arc::from(text)));
            }
            Err(error @ Error::Rpc(_)) => format!("the device does not give it away: {error}"),
            // A reply that is none to <get-schema>.
            Err(error @ Error::Protocol(_)) if session.ended().is_none() => error.to_string(),
            Err(error) => return Err(error),
        }
    } else {
        "the device has no <get-schema>".to_owned()
    };
    let standard =
        STANDARD_MODULES.iter().find(|module| module.name == name && revision.is_none_or(|r| r == module.revision));
    Ok(standard.map(|module| Arc::from(module.text)).ok_or(refused))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it neither panics nor is it aborted")
}

/// None where it is not there; a directory that cannot be read costs time and no more.
fn read(file: &Path) -> Option<String> {
    match std::fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!("{}: {error}", file.display());
            None
        }
    }
}

/// Whoever looks finds the whole text or none.
fn keep(file: &Path, text: &str) {
    let kept = || -> io::Result<()> {
        let directory = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let partial = file.with_extension(format!("part-{}", std::process::id()));
        let mut out = std::fs::File::create(&partial)?;
        out.write_all(text.as_bytes())?;
        std::fs::rename(&partial, file)
    };
    if let Err(error) = kept() {
        tracing::warn!("{}: {error}", file.display());
    }
}

/// RFC 7950 section 6.2.
fn is_identifier(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || "_-.".contains(character))
}

fn is_revision(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}
