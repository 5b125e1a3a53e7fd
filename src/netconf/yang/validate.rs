//! What spans nodes (RFC 7950 section 8): must, when, leafref, mandatory, unique, min- and max-elements.
//!
//! What an edit can break is known from the schema ([`constraint`]) and checked on the tree, where the versions differ
//! ([`check`]): an edit costs what it touches. The whole of a datastore, and what [`check`] does not know, is validated
//! by libyang ([`whole`]).

use std::sync::Arc;

use super::ffi::Fault;
use super::ffi::data::{DataTree, Kind};
use super::schema::Schema;
use super::tree::Tree;
use crate::error::RpcError;

mod check;
mod constraint;
mod expression;
mod fault;
mod index;
mod notification;
mod reference;
mod touch;
mod whole;

pub use notification::NotificationValidator;

use check::Verdict;
use constraint::Constraints;
use fault::rpc_error;
use index::Indexes;
use whole::Mirror;

/// Validates the versions of one datastore, one after another.
pub struct Validator {
    schema: Arc<Schema>,
    constraints: Constraints,
    indexes: Indexes,
    /// Kept after an edit that needed it, because the next one like it will.
    mirror: Option<Mirror>,
}

impl Validator {
    pub fn new(schema: Arc<Schema>) -> Validator {
        let (constraints, definitions) = Constraints::new(&schema);
        Validator { indexes: Indexes::new(schema.clone(), definitions), constraints, schema, mirror: None }
    }

    /// Checks `new`, given that `old` is valid. Returns `new` as it is in force: with the defaults that a `when`
    /// enables, and without what a `when` that turned false takes away.
    pub fn validate(&mut self, old: &Tree, new: &Tree) -> Result<Tree, Vec<RpcError>> {
        let before = self.indexes.evaluations;
        let verdict = check::check(&self.constraints, &mut self.indexes, old, new);
        tracing::trace!(expressions = self.indexes.evaluations - before, "checked an edit");
        match verdict {
            Verdict::Valid => Ok(new.clone()),
            Verdict::Faults(errors) => Err(errors),
            Verdict::Unknown => {
                let mirror = self.mirror_of(old)?.follow(new)?;
                Ok(self.mirror.insert(mirror).at.clone())
            }
        }
    }

    /// Checks all of `new`.
    pub fn validate_all(&mut self, new: &Tree) -> Result<Tree, Vec<RpcError>> {
        let mirror = self.mirror.take().unwrap_or_else(|| Mirror::new(self.schema.clone()));
        Ok(mirror.follow(new)?.at)
    }

    /// The mirror at `old`: libyang knows from there which `when` was true.
    fn mirror_of(&mut self, old: &Tree) -> Result<Mirror, Vec<RpcError>> {
        match self.mirror.take() {
            Some(mirror) if mirror.at.same_version(old) => Ok(mirror),
            Some(mirror) => mirror.follow(old),
            None => Mirror::new(self.schema.clone()).follow(old),
        }
    }

    /// Checks configuration with state, as `<get>` and files have it, by itself.
    pub fn validate_data(schema: &Schema, data: &Tree) -> Result<(), Vec<RpcError>> {
        let errors = |faults: Vec<Fault>| {
            faults.into_iter().map(|fault| rpc_error(schema, Kind::Config, fault)).collect::<Vec<_>>()
        };
        let mut mirror = DataTree::new();
        whole::build(schema, &mut mirror, None, data.root()).map_err(|fault| errors(vec![fault]))?;
        mirror.validate(schema.context(), Kind::Data, None).map(|_| ()).map_err(errors)
    }

    /// Checks the input or output of an RPC or action, or a notification, against itself and `datastore`.
    pub fn validate_operation(&mut self, operation: &Tree, kind: Kind, datastore: &Tree) -> Result<(), Vec<RpcError>> {
        let schema = &*self.schema.clone();
        let mut data = DataTree::new();
        let fail = |fault| vec![rpc_error(schema, kind, fault)];
        whole::build(schema, &mut data, None, operation.root()).map_err(fail)?;
        if self.constraints.operations_see_data {
            self.mirror = Some(self.mirror_of(datastore)?);
        }
        let dependencies = self.mirror.as_ref().map(|m| &m.data);
        data.validate(schema.context(), kind, dependencies)
            .map(|_| ())
            .map_err(|faults| faults.into_iter().map(|fault| rpc_error(schema, kind, fault)).collect())
    }
}

#[cfg(test)]
mod tests;
