//! A deserializer of plain values that knows where it is.
//!
//! Every type is compiled for every deserializer it is read with, so all of ours are read with this
//! one: nothing of it is generic but the visitor.

use std::cell::RefCell;
use std::fmt::Display;
use std::slice;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, Expected, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value as Json, map};

use super::Misfit;
use crate::field_path::{FieldPath, Segment};

/// A value, and where it is.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de, 'walk> {
    pub(super) json: &'de Json,
    pub(super) place: &'walk Place<'walk>,
    /// Where fields that nobody reads are noted, if anywhere.
    pub(super) unknown: Option<&'walk RefCell<Vec<FieldPath>>>,
}

/// The way from the root to a value, innermost step first.
pub(super) enum Place<'walk> {
    Root,
    Key(&'walk Place<'walk>, &'walk str),
    Index(&'walk Place<'walk>, usize),
}

impl Place<'_> {
    fn path(&self) -> FieldPath {
        let mut steps = Vec::new();
        let mut place = self;
        loop {
            place = match place {
                Self::Root => break,
                Self::Key(outer, key) => {
                    steps.push(Segment::Key((*key).to_owned()));
                    outer
                }
                Self::Index(outer, index) => {
                    steps.push(Segment::Index(*index));
                    outer
                }
            };
        }
        steps.into_iter().rev().collect()
    }
}

/// What does not fit; the innermost value that it was said of fills in where.
#[derive(Debug)]
pub(super) struct Wrong(Box<(Option<FieldPath>, String)>);

impl Wrong {
    fn said(message: impl Display) -> Self {
        Self(Box::new((None, message.to_string())))
    }

    #[cold]
    fn at(mut self, place: &Place<'_>) -> Self {
        let (path, _) = &mut *self.0;
        path.get_or_insert_with(|| place.path());
        self
    }

    pub(super) fn misfit(self) -> Misfit {
        let (path, message) = *self.0;
        Misfit {
            path: path.unwrap_or_default(),
            message,
        }
    }
}

impl std::error::Error for Wrong {}

impl Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.1)
    }
}

/// In the words of JSON, where what is absent is null.
impl Error for Wrong {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::said(message)
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::said(serde_json::Error::invalid_type(found, expected))
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::said(serde_json::Error::invalid_value(found, expected))
    }
}

impl<'de> Reader<'de, '_> {
    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.json {
            Json::Null => visitor.visit_unit(),
            Json::Bool(value) => visitor.visit_bool(*value),
            Json::Number(number) => {
                if let Some(value) = number.as_u64() {
                    visitor.visit_u64(value)
                } else if let Some(value) = number.as_i64() {
                    visitor.visit_i64(value)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or_default())
                }
            }
            Json::String(text) => visitor.visit_borrowed_str(text),
            Json::Array(items) => {
                let mut left = Items {
                    left: items.iter(),
                    index: 0,
                    of: self,
                };
                let value = visitor.visit_seq(&mut left)?;
                left.end(items.len()).map(|()| value)
            }
            Json::Object(fields) => {
                let mut left = Fields {
                    left: fields.iter(),
                    field: None,
                    of: self,
                };
                let value = visitor.visit_map(&mut left)?;
                left.end(fields).map(|()| value)
            }
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.visit(visitor).map_err(|wrong| wrong.at(self.place))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.json.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.json
            .deserialize_enum(name, variants, visitor)
            .map_err(|error| Wrong::said(error).at(self.place))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if let Some(unknown) = self.unknown {
            unknown.borrow_mut().push(self.place.path());
        }
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier
    }
}

/// What is left of a list.
struct Items<'de, 'walk> {
    left: slice::Iter<'de, Json>,
    index: usize,
    of: Reader<'de, 'walk>,
}

impl Items<'_, '_> {
    fn end(&self, len: usize) -> Result<(), Wrong> {
        if self.left.as_slice().is_empty() {
            Ok(())
        } else {
            Err(Wrong::invalid_length(len, &"fewer elements in array"))
        }
    }
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let Some(json) = self.left.next() else {
            return Ok(None);
        };
        let place = Place::Index(self.of.place, self.index);
        self.index += 1;
        let item = Reader {
            json,
            place: &place,
            unknown: self.of.unknown,
        };
        match seed.deserialize(item) {
            Ok(value) => Ok(Some(value)),
            Err(wrong) => Err(wrong.at(&place)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// What is left of a map.
struct Fields<'de, 'walk> {
    left: map::Iter<'de>,
    /// The one whose key was read last.
    field: Option<(&'de str, &'de Json)>,
    of: Reader<'de, 'walk>,
}

impl Fields<'_, '_> {
    fn end(&mut self, all: &Map<String, Json>) -> Result<(), Wrong> {
        match self.left.next() {
            None => Ok(()),
            Some(_) => Err(Wrong::invalid_length(all.len(), &"fewer elements in map")),
        }
    }
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = Wrong;

    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let Some((key, json)) = self.left.next() else {
            return Ok(None);
        };
        self.field = Some((key, json));
        seed.deserialize(BorrowedStrDeserializer::new(key))
            .map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Wrong> {
        let Some((key, json)) = self.field.take() else {
            return Err(Wrong::said("value is missing"));
        };
        let place = Place::Key(self.of.place, key);
        let field = Reader {
            json,
            place: &place,
            unknown: self.of.unknown,
        };
        seed.deserialize(field).map_err(|wrong| wrong.at(&place))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}
