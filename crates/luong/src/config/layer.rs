//! Overlays one layer of configuration on the document.

use std::path::Path;

use anyhow::{Context as _, bail};
use toml_edit::{DocumentMut, Item, Table, Value};

use super::{read, unknown_key};

/// Tables whose keys are not ours: librdkafka's settings.
const FREE_TABLES: [&str; 1] = ["log.kafka.client"];

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// Overlays a TOML file.
pub(super) fn overlay_file(document: &mut DocumentMut, path: &Path) -> anyhow::Result<()> {
    let text = read(path)?;
    let file: DocumentMut = text.parse().with_context(|| format!("{} is not valid TOML", path.display()))?;
    overlay_table(document, "", file.as_table()).with_context(|| path.display().to_string())
}

fn overlay_table(document: &mut DocumentMut, prefix: &str, table: &Table) -> anyhow::Result<()> {
    for (name, item) in table {
        let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        match item {
            Item::Table(inner) if !FREE_TABLES.contains(&key.as_str()) => {
                overlay_table(document, &key, inner)?
            }
            Item::Table(inner) => {
                for (free, value) in inner.get_values() {
                    let name: Vec<_> = free.iter().map(|part| part.get()).collect();
                    put_free(document, &key, &name.join("."), value.clone())?;
                }
            }
            Item::Value(value) => put(document, &key, value.clone())?,
            _ => bail!("{key}: lists of tables are not used here"),
        }
    }
    Ok(())
}

/// Sets one key from text, read as the type of its default.
pub(super) fn set(document: &mut DocumentMut, key: &str, text: &str) -> anyhow::Result<()> {
    if let Some((table, name)) = free_key(key) {
        return put_free(document, table, name, text.into());
    }
    let Some(default) = find(document, key) else { return unknown_key(document, key) };
    let value = match default {
        Item::Value(Value::String(_)) => Value::from(text),
        Item::Value(_) => text.parse::<Value>().ok().with_context(|| wants(key, default, text))?,
        _ => bail!("{key} is a section; set one of its keys"),
    };
    put(document, key, value)
}

fn put(document: &mut DocumentMut, key: &str, mut value: Value) -> anyhow::Result<()> {
    if let Some((table, name)) = free_key(key) {
        return put_free(document, table, name, value);
    }
    let Some(item) = find(document, key) else { return unknown_key(document, key) };
    let Item::Value(current) = item else { bail!("{key} is a section, not a value") };
    if let (Value::Float(_), Value::Integer(whole)) = (&*current, &value) {
        value = Value::from(*whole.value() as f64);
    }
    if current.type_name() != value.type_name() {
        bail!(wants(key, item, &value.to_string()));
    }
    *value.decor_mut() = current.decor().clone();
    *current = value;
    Ok(())
}

fn put_free(document: &mut DocumentMut, table: &str, name: &str, value: Value) -> anyhow::Result<()> {
    let text = match &value {
        Value::String(text) => text.value().clone(),
        other => other.to_string().trim().to_owned(),
    };
    match find(document, table) {
        Some(Item::Table(free)) => {
            free.insert(name, Item::Value(Value::from(text)));
            Ok(())
        }
        _ => bail!("{table} is not a section"),
    }
}

fn wants(key: &str, default: &Item, given: &str) -> String {
    let kind = match default {
        Item::Value(value) => value.type_name(),
        other => other.type_name(),
    };
    format!("{key} wants a value of type {kind}, not {}", given.trim())
}

fn free_key(key: &str) -> Option<(&'static str, &str)> {
    FREE_TABLES.into_iter().find_map(|table| Some((table, key.strip_prefix(table)?.strip_prefix('.')?)))
}

fn find<'a>(document: &'a mut DocumentMut, key: &str) -> Option<&'a mut Item> {
    key.split('.').try_fold(document.as_item_mut(), |item, name| item.as_table_mut()?.get_mut(name))
}

/// Returns all keys, dotted.
pub(super) fn all_keys(table: &Table) -> Vec<String> {
    values(table).into_iter().map(|(key, _)| key).collect()
}

/// Returns the keys whose default has no comment above it.
#[cfg(test)]
pub(super) fn keys_without_comment(table: &Table) -> Vec<String> {
    let mut bare = Vec::new();
    for (name, item) in table {
        let decor = table.key(name).map(|key| key.leaf_decor());
        let above = decor.and_then(|d| d.prefix()).and_then(|p| p.as_str()).unwrap_or_default();
        match item {
            Item::Table(inner) => bare.extend(keys_without_comment(inner)),
            _ if above.contains('#') => {}
            _ => bare.push(name.to_owned()),
        }
    }
    bare
}

/// Returns all keys, dotted, with their values.
pub(super) fn values(table: &Table) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for (name, item) in table {
        match item {
            Item::Table(inner) => {
                all.extend(values(inner).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            Item::Value(value) => all.push((name.to_owned(), value)),
            _ => {}
        }
    }
    all
}

/// Replaces what only its owner should read: passwords, keys, the user part of an address.
pub(super) fn hide_secrets(table: &mut Table) {
    for (name, item) in table.iter_mut() {
        let secret = ["password", "secret", "token"].iter().any(|word| name.contains(word));
        match item {
            Item::Table(inner) => hide_secrets(inner),
            Item::Value(Value::String(text)) => {
                let shown = if secret && !text.value().is_empty() {
                    HIDDEN.into()
                } else {
                    without_user(text.value())
                };
                if shown != *text.value() {
                    *item = Item::Value(Value::from(shown));
                }
            }
            _ => {}
        }
    }
}

fn without_user(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{HIDDEN}@{host}"),
        _ => address.to_owned(),
    }
}
