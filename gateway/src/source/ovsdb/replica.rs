//! Our copy of the database: whole tables, kept up to date. Decisions are made on it, never on single changes.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::datum::Uuid;
use super::rows::{
    Acl, ArpSource, BindingStats, Global, Locator, LocatorSet, LogicalRouter, LogicalSwitch, Manager, McastLocal,
    McastRemote, PhysicalPort, PhysicalSwitch, Row, Tunnel, UcastLocal, UcastRemote,
};

/// The schema's name.
pub const DATABASE: &str = "hardware_vtep";

/// Most rows that are followed: some ten times what a gateway of full size has.
const MOST_ROWS: usize = 4_000_000;
/// Most bytes that all rows may take: more than [`MOST_ROWS`] of usual length do.
const MOST_BYTES: usize = 1 << 30;
/// Bytes of changes after which it is looked what the rows take.
const LOOK: usize = 64 << 20;

/// Rows by name.
pub type Table<T> = HashMap<Uuid, T>;

/// One change of a row: its new form, or none when it is gone.
#[derive(Deserialize)]
struct RowChange<'a> {
    #[serde(borrow, default)]
    new: Option<&'a RawValue>,
}

/// Changes of tables, unread.
type Changes<'a> = HashMap<String, HashMap<Uuid, RowChange<'a>>>;

macro_rules! replica {
    ($($field:ident: $row:ident,)*) => {
        /// The tables.
        #[derive(Debug, Default)]
        pub struct Replica {
            $(
                #[doc = concat!("Rows of `", stringify!($row), "`.")]
                pub $field: Table<$row>,
            )*
            /// Rows that cannot be read, and why: table and row.
            pub unread: BTreeMap<(&'static str, Uuid), String>,
            /// Bytes of changes since it was looked what the rows take.
            taken: usize,
        }

        impl Replica {
            /// What to ask the server to tell: of each table the columns that it has among those that we use.
            ///
            /// # Errors
            ///
            /// When the schema is another one.
            pub fn wanted(schema: &RawValue) -> Result<Value, String> {
                let schema: Schema = serde_json::from_str(schema.get()).map_err(|error| format!("no schema ({error})"))?;
                let mut wanted = Map::new();
                $(schema.ask::<$row>(&mut wanted)?;)*
                Ok(Value::Object(wanted))
            }

            /// Takes changes over.
            ///
            /// # Errors
            ///
            /// When they are no changes, or the rows are too many or too long.
            pub fn apply(&mut self, changes: &RawValue) -> Result<(), String> {
                self.taken += changes.get().len();
                let changes: Changes<'_> =
                    serde_json::from_str(changes.get()).map_err(|error| format!("an update that cannot be read ({error})"))?;
                for (table, rows) in changes {
                    match table.as_str() {
                        $($row::TABLE => take(&mut self.$field, &mut self.unread, &rows),)*
                        _ => {}
                    }
                }
                if self.len() > MOST_ROWS {
                    return Err(format!("more than {MOST_ROWS} rows"));
                }
                self.weigh(LOOK, MOST_BYTES)
            }

            /// Looks what the rows take, once so many bytes of changes have come.
            fn weigh(&mut self, look: usize, most: usize) -> Result<(), String> {
                if self.taken < look {
                    return Ok(());
                }
                self.taken = 0;
                let unread: usize = self.unread.values().map(|why| size_of::<(Uuid, String)>() + why.len()).sum();
                let rows = 0 $(+ self.$field.values().map(Row::weight).sum::<usize>())*;
                if rows + unread > most {
                    return Err(format!("rows of more than {} MiB", most >> 20));
                }
                Ok(())
            }

            /// How many rows there are.
            pub fn len(&self) -> usize {
                0 $(+ self.$field.len())* + self.unread.len()
            }
        }
    };
}

replica! {
    globals: Global,
    managers: Manager,
    physical_switches: PhysicalSwitch,
    ports: PhysicalPort,
    stats: BindingStats,
    switches: LogicalSwitch,
    locators: Locator,
    sets: LocatorSet,
    ucast_remote: UcastRemote,
    mcast_remote: McastRemote,
    ucast_local: UcastLocal,
    mcast_local: McastLocal,
    tunnels: Tunnel,
    acls: Acl,
    routers: LogicalRouter,
    arp_sources: ArpSource,
}

impl Replica {
    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row of a gateway. A server keeps names apart; where one does not, the lowest row counts, however often the
    /// database is read.
    pub fn switch_named(&self, name: &str) -> Option<(Uuid, &PhysicalSwitch)> {
        let named = self.physical_switches.iter().filter(|(_, row)| *row.name == *name);
        named.min_by_key(|(uuid, _)| **uuid).map(|(uuid, row)| (*uuid, row))
    }
}

#[derive(Deserialize)]
struct Schema {
    tables: HashMap<String, SchemaTable>,
}

#[derive(Deserialize)]
struct SchemaTable {
    columns: HashMap<String, serde::de::IgnoredAny>,
}

impl Schema {
    fn ask<T: Row>(&self, wanted: &mut Map<String, Value>) -> Result<(), String> {
        let Some(table) = self.tables.get(T::TABLE) else {
            // Access lists, routers and the like came with later schemas.
            let optional =
                ["ACL", "Logical_Router", "Arp_Sources_Remote", "Logical_Binding_Stats", "Tunnel", "Manager"];
            return match optional.contains(&T::TABLE) {
                true => Ok(()),
                false => Err(format!("its schema has no table {}; is it the stock vtep.ovsschema?", T::TABLE)),
            };
        };
        if let Some(column) = T::NEEDED.iter().find(|column| !table.columns.contains_key(**column)) {
            return Err(format!("its table {} has no column {column}; is it the stock vtep.ovsschema?", T::TABLE));
        }
        let columns = T::NEEDED.iter().chain(T::OTHER).filter(|column| table.columns.contains_key(**column));
        let columns: Vec<&str> = columns.copied().collect();
        wanted.insert(T::TABLE.into(), json!([{ "columns": columns }]));
        Ok(())
    }
}

fn take<T: Row>(
    table: &mut Table<T>,
    unread: &mut BTreeMap<(&'static str, Uuid), String>,
    rows: &HashMap<Uuid, RowChange<'_>>,
) {
    table.reserve(rows.len());
    for (&uuid, change) in rows {
        if !unread.is_empty() {
            unread.remove(&(T::TABLE, uuid));
        }
        match change.new.map(|text| serde_json::from_str(text.get())) {
            None => {
                table.remove(&uuid);
            }
            Some(Ok(row)) => {
                table.insert(uuid, row);
            }
            Some(Err(error)) => {
                table.remove(&uuid);
                unread.insert((T::TABLE, uuid), error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).expect("JSON")
    }

    const ROW: &str = "550e8400-e29b-41d4-a716-446655440000";

    #[test]
    fn rows_come_change_and_go() {
        let uuid = Uuid::parse(ROW).expect("a UUID");
        let mut replica = Replica::default();
        let change = |new: &str| raw(&format!(r#"{{"Logical_Switch":{{"{ROW}":{new}}},"Nonsense":{{}}}}"#));
        replica.apply(&change(r#"{"new":{"name":"ls","tunnel_key":["set",[]]}}"#)).expect("an insertion");
        assert_eq!(replica.switches[&uuid].key, None);
        replica
            .apply(&change(r#"{"old":{"tunnel_key":["set",[]]},"new":{"name":"ls","tunnel_key":7}}"#))
            .expect("a change");
        assert_eq!((replica.switches[&uuid].key, replica.switches[&uuid].mode.as_deref()), (Some(7), None));
        replica.apply(&change(r#"{"old":{"name":"ls"}}"#)).expect("a deletion");
        assert!(replica.is_empty());
    }

    #[test]
    fn a_row_of_other_types_is_put_aside_and_all_else_goes_on() {
        let uuid = Uuid::parse(ROW).expect("a UUID");
        let other = ROW.replace("550e", "aaaa");
        let mut replica = Replica::default();
        let both = format!(
            r#"{{"Logical_Switch":{{"{ROW}":{{"new":{{"name":7,"tunnel_key":1}}}},"{other}":{{"new":{{"name":"b"}}}}}}}}"#
        );
        replica.apply(&raw(&both)).expect("an update");
        assert_eq!((replica.switches.len(), replica.unread.len()), (1, 1));
        assert!(replica.unread[&("Logical_Switch", uuid)].contains("another kind of atom"));
        replica.apply(&raw(&format!(r#"{{"Logical_Switch":{{"{ROW}":{{}}}}}}"#))).expect("a deletion");
        assert!(replica.unread.is_empty());
    }

    #[test]
    fn rows_that_are_too_long_are_no_database() {
        let mut replica = Replica::default();
        let row = |name: &str, number: usize| {
            let row = ROW.replace("550e8400", &format!("{number:08x}"));
            raw(&format!(r#"{{"Logical_Switch":{{"{row}":{{"new":{{"name":"{name}"}}}}}}}}"#))
        };
        for number in 0..100 {
            replica.apply(&row(&"x".repeat(10_000), number)).expect("few");
            assert_eq!(replica.weigh(100_000, 2_000_000), Ok(()));
        }
        replica.apply(&row("short", 0)).expect("few");
        assert_eq!(replica.weigh(1 << 30, 1000), Ok(()), "not yet looked at");
        assert!(replica.weigh(0, 980_000).expect_err("99 long names").contains("rows of more than 0 MiB"));
        assert_eq!(replica.taken, 0);
    }

    #[test]
    fn the_stock_schema_is_asked_for_what_it_has_and_another_one_refused() {
        let all = crate::source::ovsdb::testing::schema();
        let wanted = |schema: &Value| Replica::wanted(&raw(&schema.to_string()));
        let asked = wanted(&all).expect("enough");
        assert_eq!(asked["Logical_Switch"], json!([{"columns": ["name", "tunnel_key", "replication_mode"]}]));
        let mut short = all.clone();
        short["tables"]["Logical_Switch"]["columns"].as_object_mut().expect("columns").remove("replication_mode");
        let asked = wanted(&short).expect("it is not needed");
        assert_eq!(asked["Logical_Switch"], json!([{"columns": ["name", "tunnel_key"]}]));
        short["tables"]["Mcast_Macs_Local"]["columns"].as_object_mut().expect("columns").remove("logical_switch");
        assert!(wanted(&short).expect_err("a column short").contains("no column logical_switch"));
        short["tables"].as_object_mut().expect("tables").remove("Mcast_Macs_Local");
        assert!(wanted(&short).expect_err("a table short").contains("no table Mcast_Macs_Local"));
    }
}
